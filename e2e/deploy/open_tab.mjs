// A tab that stays open while the release behind its address changes: open_tab.mjs ADDRESS EMAIL PASSWORD
//
// Prints `open` once it has typed a question and not sent it; goes on at a line from standard input. Ends with 0 when what
// was typed was still there, was answered, and a part of the page that had not been loaded before came.
import assert from "node:assert/strict";
import { once } from "node:events";
import { accountMenu, fillIn } from "../lib/accounts.mjs";
import { finished, lastAnswer, openBrowser, openPage } from "../lib/page.mjs";

const [url, email, password] = process.argv.slice(2);
const browser = await openBrowser();
try {
  const page = await openPage(browser, { url }, { ready: "form" });
  await fillIn(page, email, password);
  const question = page.locator("#question");
  await question.waitFor();
  await question.fill("Name a color.");
  console.log("open");
  await once(process.stdin, "data");
  // A part that this tab has not loaded yet. The other release has it under another name: the page loads itself anew once.
  await accountMenu(page, "Your account");
  await page.getByRole("heading", { name: "Your account" }).waitFor();
  await page.goBack();
  await question.waitFor();
  assert.equal(await question.inputValue(), "Name a color.", "what was typed");
  await page.keyboard.press("Escape");
  await question.focus();
  await page.keyboard.press("Enter");
  await lastAnswer(page).waitFor();
  await finished(page);
  assert.match(await lastAnswer(page).innerText(), /\S/, "the answer");
  page.assertClean();
} finally {
  await browser.close();
}
process.exit(0);
