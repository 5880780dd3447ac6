import assert from "node:assert/strict";
import { test } from "node:test";
import { journeys } from "../lib/journey.mjs";
import {
  ask,
  askBriefly,
  chatIdOf,
  copiedAnswer,
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

const shared = journeys();

test("a typed question is answered word by word", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await page.evaluate(() => {
    window.__lengths = [];
    window.__announced = [];
    new MutationObserver(() => {
      const text = document.querySelector("[data-testid=answer] .prose")?.textContent ?? "";
      if (text.length !== window.__lengths.at(-1)) window.__lengths.push(text.length);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
    const announcer = document.querySelector("[data-testid=announcer]");
    new MutationObserver(() => window.__announced.push(announcer.textContent)).observe(announcer, {
      subtree: true,
      childList: true,
    });
  });
  await ask(page, "Why does bread rise?");
  await page.waitForURL(/\/c\//);
  assert.equal(await lastTurn(page).locator(".question p").textContent(), "Why does bread rise?");
  await finished(page);

  const { lengths, said } = await page.evaluate(() => ({
    lengths: window.__lengths,
    said: window.__announced,
  }));
  // That the machine is slow may be said as well.
  const announced = said.filter((text) => !text.startsWith("This machine: "));
  const growing = lengths.filter((length) => length > 0);
  assert.ok(growing.length >= 4, `the answer grew in ${growing.length} steps: ${growing}`);
  assert.equal(announced.length, 1, `announced once, not per token: ${announced}`);
  assert.match(announced[0], /^Goblin answered: ./);
  assert.match(
    await page.getByTestId("facts").textContent(),
    /on this machine.*(first token.*tokens|no cost)/,
  );

  const saved = await shared.goblin.api.get(`/api/turns/${await turnIdOf(page)}`);
  assert.equal(saved.status, "complete");
  assert.equal(await copiedAnswer(page), saved.answer);
  assert.equal(
    await page.getByRole("heading", { level: 1 }).first().textContent(),
    "Why does bread rise?",
  );
  await page.leave();
});

test("stop ends the answer and keeps what was written", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await newChatWith(page, shared.goblin, { max_tokens: 2000, temperature: 0.8 });
  await ask(page, longQuestion);
  await streamingText(page);
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("You stopped this answer.").waitFor();
  const saved = await shared.goblin.api.get(`/api/turns/${await turnIdOf(page)}`);
  assert.equal(saved.status, "stopped");
  assert.ok(saved.answer.length > 10);
  assert.equal(await copiedAnswer(page), saved.answer);
  await page.leave();
});

test("an answer can be had again, and both versions stay", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await askBriefly(page, shared.goblin, "Name a colour.");
  const first = await turnIdOf(page);
  await lastTurn(page).getByRole("button", { name: "Answer again" }).click();
  await page.waitForFunction(
    (id) =>
      document.querySelector("article.turn")?.dataset.turn !== id &&
      document.querySelector("[data-status=complete]"),
    first,
  );
  await page.getByTestId("branch").waitFor();
  assert.equal(await page.getByTestId("branch").textContent(), "2/2");
  assert.equal(await turns(page).count(), 1);
  await page.getByRole("button", { name: "Previous version" }).click();
  await page.locator(`article[data-turn="${first}"]`).waitFor();
  assert.equal(await page.getByTestId("branch").textContent(), "1/2");
  await page.reload();
  await page.locator(`article[data-turn="${first}"]`).waitFor();
  await page.getByRole("button", { name: "Next version" }).click();
  await page.waitForFunction(
    (id) => document.querySelector("article.turn")?.dataset.turn !== id,
    first,
  );
  await page.leave();
});

test("a question can be changed, and the chat goes on from there", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await askBriefly(page, shared.goblin, "Name a fruit.");
  await ask(page, "And another one.");
  await page.waitForFunction(
    () => document.querySelectorAll("article.turn[data-status=complete]").length === 2,
  );
  const first = turns(page).first();
  await first.hover();
  await first.getByRole("button", { name: "Edit question" }).click();
  await page.getByRole("textbox", { name: "Question", exact: true }).fill("Name a vegetable.");
  await page.getByRole("button", { name: "Ask again" }).click();
  await page.getByText("Name a vegetable.").waitFor();
  // What followed the old question is on the other branch.
  await page.waitForFunction(
    () =>
      document.querySelectorAll("article.turn").length === 1 &&
      document.querySelector("article.turn[data-status=complete]") !== null,
  );
  await page.getByRole("button", { name: "Previous version" }).click();
  await page.getByText("And another one.").waitFor();
  assert.equal(await turns(page).count(), 2, "and comes back with it");
  await page.leave();
});

test("a reload in the middle of an answer loses and doubles nothing", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  // How long a page takes to come back is the machine's to say: asked again until it comes back in the middle.
  for (let tries = 1; ; tries += 1) {
    await newChatWith(page, shared.goblin, { max_tokens: 300 * tries, temperature: 0.8 });
    await ask(page, longQuestion);
    await streamingText(page, 60);
    const before = (await lastAnswer(page).textContent()).length;
    await page.reload();
    await lastAnswer(page).waitFor();
    const status = await lastTurn(page).getAttribute("data-status");
    await page.waitForFunction(
      (length) => (document.querySelector("[data-testid=answer]")?.textContent?.length ?? 0) > length,
      before,
    );
    await finished(page);
    if (status === "streaming") break;
    assert.ok(tries < 6, "the page never came back before the answer was finished");
  }
  const saved = await shared.goblin.api.get(`/api/turns/${await turnIdOf(page)}`);
  assert.equal(await copiedAnswer(page), saved.answer);
  assert.equal(await turns(page).count(), 1);
  await page.leave();
});

test("an answer goes on while another chat is read, and a broken line is picked up", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const chat = await newChatWith(page, shared.goblin, { max_tokens: 300, temperature: 0.8 });
  await ask(page, longQuestion);
  await streamingText(page);
  await page.getByRole("link", { name: "New chat", exact: true }).click();
  await page.getByRole("heading", { name: "What shall we dig into?" }).waitFor();
  // Playwright cuts the page off the network, and the page has noticed.
  await page.context().setOffline(true);
  await page.waitForFunction(() => !navigator.onLine);
  await page.context().setOffline(false);
  await page.goBack();
  await page.waitForURL(new RegExp(chat.id));
  await finished(page);
  const saved = await shared.goblin.api.get(`/api/turns/${await turnIdOf(page)}`);
  assert.equal(await copiedAnswer(page), saved.answer);
  assert.equal(chatIdOf(page), chat.id);
  await page.leave();
});
