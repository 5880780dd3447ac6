import assert from "node:assert/strict";
import { test } from "node:test";
import { journeys } from "../lib/journey.mjs";
import {
  ask,
  askBriefly,
  desktop,
  lastAnswer,
  lastTurn,
  newChatWith,
  openPage,
  phone,
  turnIdOf,
} from "../lib/page.mjs";
import { scene } from "../lib/scene.mjs";
import { still, until } from "../lib/until.mjs";

const shared = journeys();
const long = Array.from({ length: 60 }, (_, line) => `Line ${line + 1} of an answer.`).join("\n\n");

const conversation = (page) => page.getByRole("region", { name: "Conversation" });
const place = (page) => conversation(page).evaluate((box) => box.scrollTop);
const topOf = (locator) => locator.evaluate((element) => element.getBoundingClientRect().top);

/** A question whose answer the test writes, in a chat of the real server. */
async function asked(page, goblin) {
  const say = await scene.line(page);
  const chat = await newChatWith(page, goblin, {});
  await ask(page, "A question");
  const turn = scene.turn({ chat_id: chat.id, status: "streaming", answer: "", model: null });
  await say("turn", { turn, chat });
  return { say, turn };
}

for (const viewport of [desktop, phone]) {
  test(`the line under an answer opens the whole trace, ${viewport.width} wide`, async () => {
    const page = await openPage(shared.browser, shared.goblin, { viewport });
    await newChatWith(page, shared.goblin, {});
    const model = "ollama/mistral:7b";
    await scene.turns(page, [scene.turn({ model, trace: scene.summary() })]);
    await scene.traces(page, scene.trace());
    await page.reload();
    const line = lastTurn(page).getByTestId("facts");
    await line.waitFor();
    assert.match(
      await line.textContent(),
      /mistral:7b.*on your own ollama.*900 ms.*no cost.*86% sure, not calibrated/,
    );
    await line.focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Why this answer" });
    for (const text of [
      "gemma:2b answered first. The answer of mistral:7b was accepted.",
      "It was not sure enough: 41 %, and 65 % is needed.",
      "granted, not measured",
      "no authority: shown, changes nothing",
      "Unsafe below 70%, accepted from 65%",
      "Passed over: 1",
      "Nothing.",
      "is played by another model.",
    ]) {
      await dialog.getByText(text).first().waitFor();
    }
    const sticksOut = await dialog.evaluate((box) => box.scrollWidth > box.clientWidth);
    assert.equal(sticksOut, false);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.ok(await line.evaluate((element) => element === document.activeElement));
    await page.leave();
  });
}

test("text that is held is shown as being checked, and by whom", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const { say, turn } = await asked(page, shared.goblin);
  await say("checking", { about: { part: "prompt" }, judge: "ollama/gemma:2b", held_tokens: 0 });
  await page.getByText("Checking the question").waitFor();
  await say("delta", { text: "It is so." });
  const about = { part: "window", window: 1 };
  await say("checking", { about, judge: "ollama/gemma:2b", held_tokens: 52 });
  const held = page.getByText("What follows is being checked by gemma:2b");
  await held.waitFor();
  assert.match(await held.textContent(), /52 tokens held/);
  assert.equal(await lastAnswer(page).textContent(), "It is so.");
  await say("delta", { text: " Because." });
  await held.waitFor({ state: "detached" });
  await say("done", { turn: { ...turn, status: "complete", answer: "It is so. Because." } });
  await page.leave();
});

test("a better answer follows below the one put aside, and nobody loses their place", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const { say, turn } = await asked(page, shared.goblin);
  await say("delta", { text: long });
  const reading = page.getByText("Line 20 of an answer.");
  await reading.scrollIntoViewIfNeeded();
  await still(page);
  const before = await topOf(reading);
  await say("superseded", {
    model: "ollama/gemma:2b",
    by: "ollama/mistral:7b",
    local: true,
    why: "It was not sure enough.",
  });
  const note = page.getByText("The answer of gemma:2b was put aside.");
  await note.waitFor({ state: "attached" });
  await still(page);
  assert.ok(Math.abs((await topOf(reading)) - before) < 2, "the line being read has not moved");
  await say("delta", { text: "The better answer." });
  await say("trace", { trace: scene.trace() });
  const answer = "The better answer.";
  const trace = scene.summary();
  await say("done", { turn: { ...turn, status: "complete", answer, trace, local: true } });
  await lastTurn(page).and(page.locator("[data-status=complete]")).waitFor();
  await still(page);
  assert.ok(Math.abs((await topOf(reading)) - before) < 2, "nor at the end");
  assert.equal(await lastAnswer(page).textContent(), answer);
  await page.getByRole("button", { name: "Hide it" }).click();
  await reading.waitFor({ state: "detached" });
  // The trace came with the stream: no request is needed to show it.
  await lastTurn(page).getByTestId("facts").click();
  await page.getByRole("dialog", { name: "Why this answer" }).getByText("On the way").waitFor();
  await page.leave();
});

test("what is taken back is gone at once, leaves its room, and says by which rule", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const { say, turn } = await asked(page, shared.goblin);
  await say("delta", { text: long });
  await page.getByText("Line 20 of an answer.").scrollIntoViewIfNeeded();
  await still(page);
  const before = await place(page);
  const model = "ollama/gemma:2b";
  await say("retracted", { model, rule: "safety:harm", why: "A judge found it unsafe." });
  const why = page.getByText("What gemma:2b wrote here was taken back.");
  await why.waitFor();
  assert.equal(await page.getByText("Line 20 of an answer.").count(), 0);
  await still(page);
  assert.ok(Math.abs((await place(page)) - before) < 2, "the page has not moved");
  assert.ok(await why.isVisible());
  const refused_by = "safety:harm";
  const trace = scene.summary({ outcome: "rejected", refused_by, model });
  const end = { ...turn, status: "complete", finish_reason: "content_filter", model, trace };
  await say("done", { turn: end });
  await page.getByText("This answer was refused.").waitFor();
  await page.getByText("The rule: it could do harm.").first().waitFor();
  await page.getByRole("button", { name: "Close the gap" }).click();
  await page.getByRole("button", { name: "Close the gap" }).waitFor({ state: "detached" });
  await page.leave();
});

test("thumbs, a comment and the better of two answers are kept as labels", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await askBriefly(page, shared.goblin, "Which answer is good?");
  const first = await turnIdOf(page);
  const saved = async (id) => (await shared.goblin.api.get(`/api/turns/${id}`)).feedback;
  await lastTurn(page).getByRole("button", { name: "Bad answer" }).click();
  const comment = page.getByRole("textbox", { name: "What was wrong with this answer?" });
  await comment.fill("It says nothing.");
  await page.getByRole("button", { name: "Keep" }).click();
  await page.getByRole("button", { name: "Kept" }).waitFor();
  const said = await saved(first);
  assert.deepEqual([said.rating, said.comment], ["down", "It says nothing."]);

  await lastTurn(page).getByRole("button", { name: "Answer again" }).click();
  await until("another answer", async () => {
    const id = await turnIdOf(page);
    return id !== first && (await lastTurn(page).getAttribute("data-status")) === "complete";
  });
  const second = await turnIdOf(page);
  const better = lastTurn(page).getByRole("button", { name: "Better than the other answers" });
  // The page reads a turn once more when it has ended; a press in that very moment is on a button that is being replaced.
  await page.waitForLoadState("networkidle");
  await better.click();
  await until("the comparison is kept", async () => (await saved(first))?.better_turn === second);
  await page.reload();
  await better.and(page.locator("[aria-pressed=true]")).waitFor();
  await page.leave();
});
