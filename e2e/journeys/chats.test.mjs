import assert from "node:assert/strict";
import { test } from "node:test";
import { journeys } from "../lib/journey.mjs";
import { ask, askBriefly, chatIdOf, finished, newChatWith, openPage } from "../lib/page.mjs";

const shared = journeys();
const link = (page, name) =>
  page.getByRole("navigation", { name: "Chats" }).getByRole("link", { name, exact: true });

async function openMenu(page, title) {
  await link(page, title).hover();
  await page.getByRole("button", { name: `Actions for ${title}` }).click();
}

test("a deleted chat can be brought back", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await askBriefly(page, shared.goblin, "Remember the badger.");
  const id = chatIdOf(page);
  await openMenu(page, "Remember the badger.");
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.waitForURL(`${shared.goblin.url}/`);
  await link(page, "Remember the badger.").waitFor({ state: "detached" });
  await assert.rejects(shared.goblin.api.get(`/api/chats/${id}`), /404/);
  await page.getByRole("button", { name: "Undo" }).click();
  await page.waitForURL(new RegExp(id));
  await link(page, "Remember the badger.").waitFor();
  assert.equal((await shared.goblin.api.get(`/api/chats/${id}/turns`)).items.length, 1);
  await page.leave();
});

test("a chat can be renamed", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const chat = await newChatWith(page, shared.goblin, {}, "An old name");
  await openMenu(page, "An old name");
  await page.getByRole("menuitem", { name: "Rename" }).click();
  const field = page.getByRole("textbox", { name: "Name of the chat" });
  await field.fill("A name with Ümläuts");
  await field.press("Enter");
  await link(page, "A name with Ümläuts").waitFor();
  await page.getByRole("heading", { level: 1, name: "A name with Ümläuts" }).waitFor();
  await page.waitForFunction(
    async (id) => (await (await fetch(`/api/chats/${id}`)).json()).title === "A name with Ümläuts",
    chat.id,
  );
  await page.leave();
});

test("settings are checked, saved and followed", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const chat = await newChatWith(page, shared.goblin, {});
  const open = () => page.getByRole("button", { name: "Settings of this chat" }).click();
  await open();
  await page.getByLabel("Temperature").fill("9");
  await page.getByLabel("Longest answer").fill("5");
  await page.getByLabel("Instructions").fill("You are a goblin.");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Must be from 0 to 2.").waitFor();
  await page.getByLabel("Temperature").fill("0.5");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  const saved = await shared.goblin.api.get(`/api/chats/${chat.id}`);
  assert.deepEqual(saved.parameters, { temperature: 0.5, max_tokens: 5 });
  assert.equal(saved.system, "You are a goblin.");

  await ask(page, "Tell me about rivers, mountains and the sea, at length.");
  await finished(page);
  await page.getByText("reached its longest length").waitFor();
  await page.reload();
  await open();
  assert.equal(await page.getByLabel("Longest answer").inputValue(), "5");
  await page.keyboard.press("Escape");
  await page.leave();
});

test("a model can be chosen, and Automatic comes first", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const { models } = await shared.goblin.api.get("/api/status");
  const chat = await newChatWith(page, shared.goblin, { max_tokens: 8 });
  await page.getByRole("button", { name: "Model: Automatic" }).click();
  const choices = page.getByRole("menuitemradio");
  assert.equal(await choices.count(), models.length + 1);
  assert.match(await choices.first().textContent(), /Automatic/);
  const where = page.getByRole("group", { name: /in Goblin itself|your own machine|leaves your/ });
  assert.equal(await where.first().getByRole("menuitemradio").count(), 1);
  assert.match(await choices.nth(1).textContent(), /in memory/);
  await choices.nth(1).click();
  await page
    .getByRole("button", { name: `Model: ${models[0].id.split("/").slice(1).join("/")}` })
    .waitFor();
  await page.waitForFunction(
    async ([id, model]) => (await (await fetch(`/api/chats/${id}`)).json()).model === model,
    [chat.id, models[0].id],
  );
  await ask(page, "Hello");
  await finished(page);
  await page.leave();
});

test("the start page says honestly who will answer", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const status = await shared.goblin.api.get("/api/status");
  await page.getByTestId("who-answers").locator("strong").waitFor();
  const text = await page.getByTestId("who-answers").textContent();
  assert.ok(text.includes(status.default_model.split("/").slice(1).join("/")), text);
  const starter = status.models.find((model) => model.id === status.default_model)?.starter;
  assert.equal(await page.getByTestId("starter").count(), starter ? 1 : 0);
  if (starter && status.suggestion) {
    await page.getByRole("button", { name: "Copy command" }).click();
    assert.equal(
      await page.evaluate(() => navigator.clipboard.readText()),
      status.suggestion.command,
    );
  }
  await page.leave();
});

test("an address that leads nowhere leads home", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await page.goto(`${shared.goblin.url}/no/such/page`);
  await page.getByRole("heading", { name: "There is nothing at this address" }).waitFor();
  await page.goto(`${shared.goblin.url}/c/01931234-0000-7000-8000-000000000000`);
  await page.getByRole("heading", { name: "This chat is not here" }).waitFor();
  await page.getByRole("main").getByRole("link", { name: "Start a new chat" }).click();
  await page.getByRole("heading", { name: "What shall we dig into?" }).waitFor();
  await page.leave();
});
