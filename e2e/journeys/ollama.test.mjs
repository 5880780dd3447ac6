// All of it: browser, backend, model tier, a real Ollama, a model. And what the page says when a part goes away.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { given, startGoblin, startTiers } from "../lib/goblin.mjs";
import { ollamaModel, startOllama } from "../lib/ollama.mjs";
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
  phone,
  streamingText,
} from "../lib/page.mjs";

const skip = given ? "GOBLIN_URL is one server; this needs several to kill and start" : false;
let ollama;
let browser;

before(async () => {
  if (skip) return;
  ollama = await startOllama();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await ollama?.stop();
});

const strip = (page) => page.getByTestId("health-strip");
const spoken = (page, text) => page.getByTestId("announcer").getByText(text).waitFor();

/** The picker's line of the model, as it is now. */
async function inPicker(page, look) {
  await page.getByRole("button", { name: /^Model:/ }).click();
  const line = page.getByRole("menuitemradio", { name: new RegExp(`^${ollamaModel}`) });
  await line.waitFor();
  await look(line);
  await page.keyboard.press("Escape");
  await line.waitFor({ state: "detached" });
}

test("three tiers: the answer streams, the page says what is lost, and goes on by itself", {
  skip,
}, async () => {
  const { goblin, models, stop } = await startTiers(ollama);
  try {
    const page = await openPage(browser, goblin);
    await page.getByRole("button", { name: /All is well/ }).waitFor();
    assert.equal(await strip(page).count(), 0, "nothing is said while all is well");
    await inPicker(page, (line) => line.getByText("not in memory").waitFor());

    await newChatWith(page, goblin, { max_tokens: 400, temperature: 0.8 });
    await page.evaluate(() => {
      window.sameDocument = true;
    });
    await ask(page, longQuestion);
    await streamingText(page, 20);
    const early = (await lastAnswer(page).textContent()).length;
    await streamingText(page, early + 20);
    await page.keyboard.press("Escape");
    await finished(page);
    await page.getByText("on your model tier").first().waitFor();
    await inPicker(page, (line) => line.getByText("in memory", { exact: true }).waitFor());

    const backend = goblin.pid();
    await models.kill();
    await strip(page).getByText("It cannot be reached.").waitFor({ timeout: 60_000 });
    const said = await strip(page).innerText();
    assert.match(said, /Model tier/);
    assert.match(said, /goblin models serve/, "what to do");
    await spoken(page, /^Model tier: down\./);
    await inPicker(page, async (line) => {
      await line.getByText("It cannot be reached.").waitFor();
      assert.equal(await line.getAttribute("aria-disabled"), "true");
    });
    await ask(page, "Are you there?");
    await page
      .getByText(/`?tier`?.{0,40}cannot be reached/)
      .first()
      .waitFor();
    await strip(page).getByRole("button", { name: "Details" }).press("Enter");
    const details = page.getByRole("dialog", { name: "Where answers come from" });
    await details.getByText(models.url.replace("http://", "")).first().waitFor();
    await page.keyboard.press("Escape");

    await models.start();
    await strip(page).waitFor({ state: "detached", timeout: 60_000 });
    await spoken(page, "Model tier is up again.");
    assert.equal(await page.locator("#question").inputValue(), "Are you there?", "kept");
    await goblin.api.patch(`/api/chats/${chatIdOf(page)}`, { parameters: { max_tokens: 12 } });
    await page.locator("#question").press("Enter");
    const again = page.locator("article.turn[data-status=complete]");
    await again.filter({ hasText: "Are you there?" }).waitFor({ timeout: 60_000 });
    assert.match(await lastAnswer(page).textContent(), /\S/);
    assert.equal(goblin.pid(), backend, "the backend was not started again");
    assert.ok(await page.evaluate(() => window.sameDocument), "nor was the page loaded again");
    await page.leave();
  } finally {
    await stop();
  }
});

test("one of two servers down: the other answers, and the page names the one that is down", {
  skip,
}, async () => {
  const goblin = await startGoblin({ OLLAMA_HOST: ollama.url });
  try {
    const page = await openPage(browser, goblin, { viewport: phone });
    await newChatWith(page, goblin, { max_tokens: 12 });
    await inPicker(page, (line) =>
      line
        .getByText(/memory|ready/)
        .first()
        .waitFor(),
    );
    await ollama.kill();
    const down = strip(page).getByRole("listitem").filter({ hasText: "Ollama" });
    await down.getByText("It cannot be reached.").waitFor({ timeout: 60_000 });
    await strip(page).getByText("This machine answers.").waitFor();
    const sticksOut = await page.evaluate(
      () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
    );
    assert.equal(sticksOut, false, "the strip fits a phone");
    await ask(page, "Who answers now?");
    await finished(page);
    assert.equal(await lastTurn(page).getAttribute("data-status"), "complete");
    await lastTurn(page).getByText("on this machine").waitFor();
    await ollama.start();
    await strip(page).waitFor({ state: "detached", timeout: 60_000 });
    await page.leave();
  } finally {
    await goblin.stop();
  }
});
