import assert from "node:assert/strict";
import { test } from "node:test";
import { journeys } from "../lib/journey.mjs";
import {
  askBriefly,
  chatIdOf,
  finished,
  lastTurn,
  longQuestion,
  newChatWith,
  openPage,
  streamingText,
  turnIdOf,
} from "../lib/page.mjs";

const shared = journeys();

/** Tab until the focused thing has this name; proves that it can be reached, and that its focus shows. */
async function tabTo(page, name, most = 80) {
  for (let presses = 0; presses < most; presses++) {
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      const framed = element.closest(".composer") !== null;
      return {
        name: (element.getAttribute("aria-label") ?? element.textContent ?? "").trim(),
        visible:
          framed || (style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) > 0),
      };
    });
    if (at.name === name) {
      assert.ok(at.visible, `the focus on “${name}” can be seen`);
      return;
    }
    await page.keyboard.press("Tab");
  }
  assert.fail(`“${name}” cannot be reached with Tab`);
}

/** The menu is open and an item has the focus. */
const highlighted = (page, role, text = "") =>
  page.locator(`[role=${role}][data-highlighted]`, { hasText: text }).waitFor();

const focused = (page) => page.evaluate(() => document.activeElement?.id ?? "");

test("the main tasks need no pointer", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const keys = page.keyboard;
  assert.equal(await focused(page), "question", "the page opens ready to type");

  // A question of two lines, from the start page.
  await keys.type("Count to three.");
  await keys.press("Shift+Enter");
  await keys.type("Slowly.");
  await keys.press("Enter");
  await page.waitForURL(/\/c\//);
  await finished(page);
  assert.equal(
    await lastTurn(page).locator(".question p").textContent(),
    "Count to three.\nSlowly.",
  );
  assert.equal(await focused(page), "question", "and goes on ready to type");

  // Settings by key: a short limit for what follows.
  await keys.press("Control+,");
  await tabTo(page, "Close");
  await page.getByLabel("Longest answer").focus();
  await keys.type("2000");
  await keys.press("Enter");
  await page.getByRole("dialog").waitFor({ state: "detached" });

  // Ask at length, stop with Escape.
  await keys.press("Control+k");
  await page.getByRole("heading", { name: "What shall we dig into?" }).waitFor();
  await page.goBack();
  await page.waitForURL(/\/c\//);
  await page.locator("#question").waitFor();
  await keys.type(longQuestion);
  await keys.press("Enter");
  await streamingText(page);
  await keys.press("Escape");
  await page.getByText("You stopped this answer.").waitFor();
  await page.leave();
});

test("answers and questions are worked on by single keys, only while nobody types", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await askBriefly(page, shared.goblin, "Say something.");
  const first = await turnIdOf(page);
  await page.keyboard.type("er?c/");
  assert.equal(await page.locator("#question").inputValue(), "er?c/");
  await page.locator("#question").fill("");

  const leaveField = () => page.evaluate(() => document.activeElement?.blur());
  await leaveField();
  await page.keyboard.press("r");
  await page.waitForFunction(
    (id) => document.querySelector("article.turn")?.dataset.turn !== id,
    first,
  );
  await finished(page);
  await leaveField();
  await page.keyboard.press("e");
  await page.getByRole("textbox", { name: "Question", exact: true }).waitFor();
  await page.keyboard.type(" Again");
  await page.keyboard.press("Enter");
  await page.getByText("Say something. Again").waitFor();
  await finished(page);
  await leaveField();
  await page.keyboard.press("/");
  assert.equal(await focused(page), "question");
  await page.leave();
});

test("the help dialog lists the keys and can turn single ones off", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const close = async () => {
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.evaluate(() => document.activeElement?.blur());
  };
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.getByText("Stop the answer").waitFor();
  await page.getByRole("checkbox").focus();
  await page.keyboard.press("Space");
  await close();
  // Keys are heard in their order: what the second one opens is there, so the first one opened nothing.
  await page.keyboard.press("?");
  await page.keyboard.press("Control+,");
  await page.getByRole("dialog").waitFor();
  assert.equal(await page.getByRole("dialog", { name: "Keyboard" }).count(), 0);
  assert.equal(await page.getByRole("dialog").count(), 1);
  await page.leave();
});

test("chats are renamed, deleted and brought back by keyboard", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await newChatWith(page, shared.goblin, {}, "Keyboard chat");
  const id = chatIdOf(page);
  await page.evaluate(() => document.activeElement?.blur());
  await tabTo(page, "Actions for Keyboard chat");
  await page.keyboard.press("Enter");
  await highlighted(page, "menuitem");
  await page.keyboard.press("Enter");
  await page.getByRole("textbox", { name: "Name of the chat" }).waitFor();
  await page.keyboard.type("Typed name");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Typed name" }).waitFor();

  await page.evaluate(() => document.activeElement?.blur());
  await tabTo(page, "Actions for Typed name");
  await page.keyboard.press("Enter");
  await highlighted(page, "menuitem");
  await page.keyboard.press("ArrowDown");
  await highlighted(page, "menuitem", "Delete");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${shared.goblin.url}/`);
  await page.getByText("Deleted “Typed name”").waitFor();
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("Control+z");
  await page.waitForURL(new RegExp(id));
  await page.leave();
});

test("a model is chosen by keyboard", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await page.getByTestId("who-answers").locator("strong").waitFor();
  await tabTo(page, "Model: Automatic");
  await page.keyboard.press("Enter");
  await highlighted(page, "menuitemradio");
  await highlighted(page, "menuitemradio", "Automatic");
  await page.keyboard.press("ArrowDown");
  await page
    .locator("[role=menuitemradio][data-highlighted]", { hasNotText: "Automatic" })
    .waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: /^Model: (?!Automatic)/ }).waitFor();
  await page.leave();
});
