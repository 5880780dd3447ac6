// Writes the pictures of the README from a real run: node screenshot.mjs http://127.0.0.1:8001 ["A question"]
// With --tiers instead of an address it starts a real Ollama, a model tier and a backend, and writes the pictures of those.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startTiers } from "./lib/goblin.mjs";
import { startOllama } from "./lib/ollama.mjs";
import {
  ask,
  desktop,
  finished,
  lastTurn,
  newChatWith,
  openBrowser,
  openPage,
  phone,
} from "./lib/page.mjs";
import { still } from "./lib/until.mjs";

const tiers = process.argv[2] === "--tiers" ? await startAll() : null;
const url =
  tiers?.goblin.url ?? (process.argv[2] ?? process.env.GOBLIN_URL ?? "").replace(/\/+$/, "");
const question = process.argv[3] ?? "Explain in three short points why the sky is blue.";
if (!url) throw new Error("say where Goblin runs: node screenshot.mjs http://127.0.0.1:8001");

const folder = fileURLToPath(new URL("../docs/images/", import.meta.url));
mkdirSync(folder, { recursive: true });
const browser = await openBrowser();

async function startAll() {
  const ollama = await startOllama();
  try {
    const started = await startTiers(ollama);
    return { ...started, stop: () => started.stop().then(ollama.stop) };
  } catch (error) {
    await ollama.stop();
    throw error;
  }
}

async function picture(name, options, prepare) {
  const page = await openPage(browser, { url }, { deviceScaleFactor: 1, ...options });
  await prepare(page);
  await page.evaluate(() => document.fonts.ready);
  await still(page);
  await page.screenshot({ path: `${folder}${name}.png` });
  await page.leave();
  console.log(`${folder}${name}.png`);
}

const ready = (page) => page.getByTestId("who-answers").locator("strong").waitFor();

const answered = async (page) => {
  await ready(page);
  await ask(page, question);
  await page.waitForURL(/\/c\//);
  await finished(page);
  // Long answers end far below; the picture begins with the question.
  await page.getByRole("region", { name: "Conversation" }).evaluate((box) => box.scrollTo(0, 0));
};

async function ordinaryPictures() {
  await picture("chat", { colorScheme: "dark", viewport: desktop }, answered);
  await picture("chat-light", { colorScheme: "light", viewport: desktop }, answered);
  await picture("phone", { colorScheme: "dark", viewport: phone, deviceScaleFactor: 2 }, answered);
}

async function tierPictures() {
  await picture("tiers", { colorScheme: "dark", viewport: desktop }, async (page) => {
    await newChatWith(page, tiers.goblin, { max_tokens: 60, temperature: 0.2, seed: 7 }, question);
    await ask(page, question);
    await lastTurn(page).getByText(question).waitFor();
    await finished(page);
    await page.getByRole("button", { name: /^Model:/ }).click();
    await page.getByText("in memory", { exact: true }).waitFor();
  });
  await tiers.models.kill();
  const lost = async (page) => {
    await page.getByTestId("health-strip").getByText("It cannot be reached.").waitFor();
  };
  await picture("tier-down", { colorScheme: "light", viewport: desktop }, lost);
}

try {
  await (tiers ? tierPictures() : ordinaryPictures());
} finally {
  await browser.close();
  await tiers?.stop();
}
