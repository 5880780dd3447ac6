// A browser page that remembers what must never happen: a breach of the content security policy,
// a request to another host, an error in a script.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

export function openBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
}

export const desktop = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };

/**
 * A page at `path`, shown when there is what `ready` selects; both are of the new chat's page unless given. It is in a
 * browser of its own, or a tab of the one `beside` is in. `elsewhere` are other origins it may go to.
 */
export async function openPage(browser, goblin, given = {}) {
  const { path = "/", ready = "#question", elsewhere = [], beside, ...options } = given;
  const context =
    beside?.context() ??
    (await browser.newContext({
      viewport: desktop,
      colorScheme: "dark",
      permissions: ["clipboard-read", "clipboard-write"],
      ...options,
    }));
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const faults = [];
  await page.exposeFunction("__violation", (text) => faults.push(`CSP: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.__violation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  page.on("console", (message) => {
    if (/content security policy|trusted type|Refused to/i.test(message.text())) {
      faults.push(`console: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => faults.push(`script: ${error.stack ?? error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    const own = [goblin.url, ...elsewhere].includes(url.origin);
    if (!own && !["data:", "blob:"].includes(url.protocol))
      faults.push(`request: ${request.url()}`);
  });
  await page.goto(new URL(path, goblin.url).href);
  await page.locator(ready).first().waitFor();
  return Object.assign(page, {
    faults: () => [...faults],
    assertClean: () => assert.deepEqual(faults, []),
    leave: async () => {
      assert.deepEqual(faults, []);
      await (beside ? page : context).close();
    },
  });
}

/** Long enough to act in the middle of. The starter model writes on until its limit. */
export const longQuestion =
  "Write a very long story about a goblin, in many chapters, with every detail. Do not stop early.";

export const turns = (page) => page.locator("article.turn");
export const lastTurn = (page) => turns(page).last();
export const lastAnswer = (page) => lastTurn(page).getByTestId("answer");

export async function ask(page, text) {
  await page.locator("#question").fill(text);
  await page.keyboard.press("Enter");
}

/** Asks for few tokens, so that a journey about something else is short. */
export async function askBriefly(page, goblin, text) {
  await newChatWith(page, goblin, { max_tokens: 12 });
  await ask(page, text);
  await finished(page);
}

/** Opens a chat made beforehand, with parameters that suit the journey. */
export async function newChatWith(page, goblin, parameters, title) {
  const chat = await goblin.api.post("/api/chats", { parameters, ...(title ? { title } : {}) });
  await page.goto(`${goblin.url}/c/${chat.id}`);
  await page.locator("#question").waitFor();
  return chat;
}

export async function finished(page) {
  await page.waitForFunction(
    () => {
      const last = [...document.querySelectorAll("article.turn")].at(-1);
      return last && !["streaming", "pending"].includes(last.dataset.status);
    },
    null,
    { timeout: 120_000 },
  );
}

export async function streamingText(page, atLeast = 20) {
  await page.waitForFunction(
    (length) => {
      const last = [...document.querySelectorAll("article.turn")].at(-1);
      const answer = last?.querySelector("[data-testid=answer]");
      return last?.dataset.status === "streaming" && (answer?.textContent?.length ?? 0) > length;
    },
    atLeast,
    { timeout: 60_000 },
  );
}

export const chatIdOf = (page) => new URL(page.url()).pathname.split("/")[2];
export const turnIdOf = (page) => lastTurn(page).getAttribute("data-turn");

/** The answer's source, as the page would give it to a person. */
export async function copiedAnswer(page) {
  await lastTurn(page).hover();
  await lastTurn(page).getByRole("button", { name: "Copy answer" }).click();
  return page.evaluate(() => navigator.clipboard.readText());
}
