// Writes the pictures of the README from a real run: node screenshot.mjs http://127.0.0.1:8001 ["A question"]
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ask, desktop, finished, openBrowser, openPage, phone } from "./lib/page.mjs";

const url = (process.argv[2] ?? process.env.GOBLIN_URL ?? "").replace(/\/+$/, "");
const question = process.argv[3] ?? "Explain in three short points why the sky is blue.";
if (!url) throw new Error("say where Goblin runs: node screenshot.mjs http://127.0.0.1:8001");

const folder = fileURLToPath(new URL("../docs/images/", import.meta.url));
mkdirSync(folder, { recursive: true });
const browser = await openBrowser();

async function picture(name, options, prepare) {
  const page = await openPage(browser, { url }, { deviceScaleFactor: 1, ...options });
  await page.getByTestId("who-answers").locator("strong").waitFor();
  await prepare(page);
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(600);
  await page.screenshot({ path: `${folder}${name}.png` });
  await page.leave();
  console.log(`${folder}${name}.png`);
}

const answered = async (page) => {
  await ask(page, question);
  await page.waitForURL(/\/c\//);
  await finished(page);
  // Long answers end far below; the picture begins with the question.
  await page.getByRole("region", { name: "Conversation" }).evaluate((box) => box.scrollTo(0, 0));
};

await picture("chat", { colorScheme: "dark", viewport: desktop }, answered);
await picture("chat-light", { colorScheme: "light", viewport: desktop }, answered);
await picture("phone", { colorScheme: "dark", viewport: phone, deviceScaleFactor: 2 }, answered);
await picture("start", { colorScheme: "dark", viewport: desktop }, async () => {});
await browser.close();
