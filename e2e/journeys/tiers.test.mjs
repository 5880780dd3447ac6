// Two processes, as in a deployment: the backend with the page, and a model server it reaches over the network.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { given, startTiers } from "../lib/goblin.mjs";
import {
  ask,
  chatIdOf,
  finished,
  lastAnswer,
  lastTurn,
  longQuestion,
  newChatWith,
  openBrowser,
  openPage,
  streamingText,
} from "../lib/page.mjs";

const skip = given ? "GOBLIN_URL is one server; this needs two to kill and start" : false;
let tiers;
let browser;

before(async () => {
  if (skip) return;
  tiers = await startTiers();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await tiers?.stop();
});

/** What a person must not be told when the model server is away: nothing of it is true, nothing of it helps. */
async function assertNoFalseRemedy(page) {
  const text = await page.locator("body").innerText();
  for (const wrong of [
    /model not found|this model is not here/i,
    /choose another model/i,
    /not installed|make models|goblin models add|goblin models pull|ollama pull/i,
  ]) {
    assert.doesNotMatch(text, wrong);
  }
}

test("an answer streams through both; without the model server the page says so; with it again, it answers", {
  skip,
}, async () => {
  const { goblin, models } = tiers;
  const page = await openPage(browser, goblin);
  await newChatWith(page, goblin, { max_tokens: 400, temperature: 0.8 });
  await ask(page, longQuestion);
  await streamingText(page, 40);
  const early = (await lastAnswer(page).textContent()).length;
  await streamingText(page, early + 40);
  await page.keyboard.press("Escape");
  await finished(page);
  const { items } = await goblin.api.get(`/api/chats/${chatIdOf(page)}/turns`);
  assert.match(items.at(-1).answer, /\S/);

  const backend = goblin.pid();
  await models.kill();
  await ask(page, "Are you there?");
  const away = /(cannot|could not) be reached|not reachable/i;
  await page.getByText(away).first().waitFor({ timeout: 60_000 });
  assert.equal(await page.getByText(`No answer from ${goblin.url}`).count(), 0);
  await assertNoFalseRemedy(page);
  await page.reload();
  await page.locator("#question").waitFor();
  await assertNoFalseRemedy(page);

  await models.start();
  // Asked as a person would: once more, until the backend has seen that the model server is back.
  await page.waitForFunction(
    async () => (await (await fetch("/api/status")).json()).default_model !== null,
    null,
    { timeout: 60_000, polling: 500 },
  );
  await newChatWith(page, goblin, { max_tokens: 12 });
  await ask(page, "Hello again");
  await finished(page);
  assert.equal(await lastTurn(page).getAttribute("data-status"), "complete");
  assert.match(await lastAnswer(page).textContent(), /\S/);
  assert.equal(goblin.pid(), backend, "the backend was not started again");
  await page.leave();
});
