// A new operator in front of the page: walk.mjs ADDRESS OWNERS_LINK EMAIL, or walk.mjs ADDRESS "" EMAIL to sign in again.
//
// Makes the owner's account, waits for the model, asks, leaves in mid-answer and comes back to it. Prints what was seen, one
// line each; ends with 0 when all of it was.
import assert from "node:assert/strict";
import { fillIn, password } from "../lib/accounts.mjs";
import {
  ask,
  finished,
  lastAnswer,
  longQuestion,
  openBrowser,
  openPage,
  streamingText,
} from "../lib/page.mjs";
import { picture } from "../lib/picture.mjs";
import { until } from "../lib/until.mjs";

const [url, link, email] = process.argv.slice(2);
const browser = await openBrowser();

async function setUp(page) {
  const form = page.getByRole("form", { name: "Set up Goblin" });
  await form.getByLabel("E-mail address").fill(email);
  await form.getByLabel("Password", { exact: true }).fill(password);
  await page.keyboard.press("Enter");
}

try {
  const options = { path: link || "/", ready: "form", ignoreHTTPSErrors: true };
  const page = await openPage(browser, { url }, options);
  await (link ? setUp(page) : fillIn(page, email));
  await page.locator("#question").waitFor();
  console.log(link ? "the owner's account is made" : "signed in");
  await until("the model is known", () =>
    page.evaluate(async () => {
      const response = await fetch("/api/status");
      return response.ok && (await response.json()).default_model;
    }),
  );
  await page.reload();
  await page.locator("#question").waitFor();
  await ask(page, longQuestion);
  await page.waitForURL(/\/c\//);
  await streamingText(page, 40);
  await page.reload();
  await page.locator("#question").waitFor();
  await streamingText(page, 60);
  await picture(page, "walk-answer", "operations");
  await page.keyboard.press("Escape");
  await finished(page);
  assert.match(await lastAnswer(page).textContent(), /\S/);
  console.log("an answer streams, also after a reload in the middle of it");
  page.assertClean();
} finally {
  await browser.close();
}
process.exit(0);
