import assert from "node:assert/strict";
import { test } from "node:test";
import { given } from "../lib/goblin.mjs";
import { journeys } from "../lib/journey.mjs";
import {
  ask,
  askBriefly,
  chatIdOf,
  finished,
  lastAnswer,
  lastTurn,
  longQuestion,
  newChatWith,
  openPage,
  streamingText,
  turnIdOf,
  turns,
} from "../lib/page.mjs";
import { scene } from "../lib/scene.mjs";
import { until } from "../lib/until.mjs";

const shared = journeys();
const restart = { skip: given ? "GOBLIN_URL is somebody else's server to restart" : false };

test(
  "a server killed in mid-answer loses neither the question nor what was written",
  restart,
  async () => {
    const { goblin } = shared;
    const page = await openPage(shared.browser, goblin);
    await newChatWith(page, goblin, { max_tokens: 2000, temperature: 0.8 });
    await ask(page, longQuestion);
    await streamingText(page, 120);
    await until("some of it is on the server's disk", async () => {
      const { items } = await goblin.api.get(`/api/chats/${chatIdOf(page)}/turns`);
      return items.at(-1).answer;
    });
    await goblin.kill();
    await page.getByText(`No answer from ${goblin.url}.`).waitFor();
    assert.ok(
      (await lastAnswer(page).textContent()).length > 20,
      "still on screen while the server is away",
    );
    await goblin.start();

    await page.getByText("The server was restarted in the middle of this answer.").waitFor();
    await page.getByText("No answer from").waitFor({ state: "detached" });
    const saved = await goblin.api.get(`/api/turns/${await turnIdOf(page)}`);
    assert.equal(saved.status, "incomplete");
    assert.equal(saved.content, longQuestion);
    assert.ok(saved.answer.length > 0, "the part answered is kept");

    await page.reload();
    await page.getByText("The server was restarted in the middle of this answer.").waitFor();
    assert.equal(await turns(page).count(), 1);
    assert.equal(await lastTurn(page).locator(".question p").textContent(), longQuestion);
    await lastTurn(page)
      .locator(".answer-note")
      .getByRole("button", { name: "Answer again" })
      .click();
    await streamingText(page, 1);
    await page.keyboard.press("Escape");
    await finished(page);
    await page.leave();
  },
);

test("a server that is away is named, waited for, and costs no words", restart, async () => {
  const { goblin } = shared;
  const page = await openPage(shared.browser, goblin);
  await newChatWith(page, goblin, { max_tokens: 8 });
  await goblin.kill();
  await ask(page, "Are you there?");
  await page.getByText(`No answer from ${goblin.url}.`).waitFor();
  await page.getByText(/Trying again in \d+ s|Trying…/).waitFor();
  assert.equal(await page.locator("#question").inputValue(), "Are you there?");
  await goblin.start();
  await page.getByText("No answer from").waitFor({ state: "detached", timeout: 30_000 });
  await page.reload();
  assert.equal(
    await page.locator("#question").inputValue(),
    "Are you there?",
    "kept over a reload too",
  );
  await page.locator("#question").press("Enter");
  await finished(page);
  assert.equal(await page.locator("#question").inputValue(), "");
  await page.leave();
});

test("too many questions: counts down, then sends the same words", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await newChatWith(page, shared.goblin, { max_tokens: 8 });
  await scene.problemOnce(
    page,
    { status: 429, code: "rate_limited", detail: "Eight answers are being written." },
    { "retry-after": "2" },
  );
  await ask(page, "Patience.");
  await page.getByRole("alert").getByText("Eight answers are being written.").waitFor();
  const button = page.getByRole("button", { name: /Again in [12] s/ });
  await button.waitFor();
  assert.ok(await button.isDisabled());
  assert.equal(await page.locator("#question").inputValue(), "Patience.");
  await page.getByRole("button", { name: "Send again" }).click();
  await finished(page);
  assert.equal(await lastTurn(page).locator(".question p").textContent(), "Patience.");
  assert.equal(await page.getByRole("alert").count(), 0);
  await page.leave();
});

test("a question over the context says what to do", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await newChatWith(page, shared.goblin, {});
  await scene.problemOnce(page, {
    status: 422,
    code: "context_length_exceeded",
    detail: "The question has 9,102 tokens, the model reads 8,192.",
  });
  await ask(page, "Too long.");
  await page.getByText("Too long for this model").waitFor();
  await page.getByText("9,102 tokens").waitFor();
  assert.equal(await page.locator("#question").inputValue(), "Too long.");
  await page.leave();
});

test("without a model the page gives the command", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await scene.status(page, {
    models: [],
    default_model: null,
    suggestion: null,
    no_model_help: "No model is installed yet. Add one with: goblin models add ./model.gguf",
  });
  await page.reload();
  await page.getByTestId("no-model").getByText("No model is installed yet.").waitFor();
  await page.getByRole("button", { name: "Copy command" }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, "goblin models add ./model.gguf");
  await page.locator("#question").fill("Hello?");
  assert.ok(await page.getByRole("button", { name: "Send" }).isDisabled());
  await page.leave();
});

test("every way an answer can end is marked", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await askBriefly(page, shared.goblin, "Hello");
  const problem = {
    type: "about:blank",
    title: "",
    status: 502,
    code: "upstream_failed",
    detail: "It hung up.",
    request_id: "r",
  };
  const ids = [1, 2, 3, 4, 5].map((number) => `01931234-0000-7000-8000-00000000000${number}`);
  const parent = (index) => ids[index - 1] ?? null;
  await scene.turns(page, [
    scene.turn({
      id: ids[0],
      status: "failed",
      finish_reason: null,
      error: problem,
      answer: "Half an",
    }),
    scene.turn({
      id: ids[1],
      parent: parent(1),
      status: "incomplete",
      finish_reason: null,
      answer: "Cut",
    }),
    scene.turn({ id: ids[2], parent: parent(2), finish_reason: "length" }),
    scene.turn({
      id: ids[3],
      parent: parent(3),
      status: "stopped",
      finish_reason: null,
      left_out: 7,
    }),
    scene.turn({ id: ids[4], parent: parent(4), local: false, model: "openai/gpt" }),
  ]);
  await page.setViewportSize({ width: 1280, height: 3000 });
  await page.reload();
  for (const text of [
    "The model stopped in the middle",
    "It hung up. What had been written is kept.",
    "The server was restarted in the middle of this answer.",
    "The answer reached its longest length and ends here.",
    "You stopped this answer.",
    "Older turns left out: 7.",
    "sent to openai",
  ]) {
    await page.getByText(text).first().waitFor();
  }
  await page.getByRole("button", { name: "Retry" }).waitFor();
  await page.leave();
});
