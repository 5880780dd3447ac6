import assert from "node:assert/strict";
import { test } from "node:test";
import { journeys } from "../lib/journey.mjs";
import {
  ask,
  finished,
  longQuestion,
  newChatWith,
  openPage,
  phone,
  streamingText,
  turns,
} from "../lib/page.mjs";
import { scene } from "../lib/scene.mjs";
import { resting, still, until } from "../lib/until.mjs";

const shared = journeys();

test("a phone has all of it, and nothing sticks out", async () => {
  const page = await openPage(shared.browser, shared.goblin, {
    viewport: phone,
    hasTouch: true,
    isMobile: true,
  });
  const sticksOut = () =>
    page.evaluate(
      () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
    );
  assert.equal(await sticksOut(), false, "start page");
  await ask(page, "Hello from a small screen");
  await page.waitForURL(/\/c\//);
  await finished(page);
  assert.equal(await sticksOut(), false, "chat");
  assert.equal(await page.getByRole("navigation", { name: "Chats" }).count(), 0);
  await page.getByRole("button", { name: "Show chats" }).tap();
  await page.getByRole("link", { name: "Hello from a small screen" }).waitFor();
  assert.equal(await sticksOut(), false, "drawer");
  const small = await page.evaluate(() =>
    [...document.querySelectorAll("dialog :is(a, button)")]
      .map((element) => [element.textContent || element.ariaLabel, element.getBoundingClientRect()])
      .filter(([, box]) => box.width > 0 && (box.width < 24 || box.height < 24))
      .map(([name]) => name),
  );
  assert.deepEqual(small, [], "targets of at least 24 px");
  await page.getByRole("dialog").getByRole("link", { name: "New chat", exact: true }).tap();
  await page.getByRole("heading", { name: "What shall we dig into?" }).waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0, "the drawer is gone");
  await page.leave();
});

test("the theme can be chosen and is there before the first paint", async () => {
  const page = await openPage(shared.browser, shared.goblin, { colorScheme: "light" });
  const ground = () =>
    page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await page.getByRole("button", { name: "Dark theme" }).click();
  const dark = await ground();
  assert.notEqual(light, dark);
  await page.reload({ waitUntil: "commit" });
  await page.waitForFunction(() => document.documentElement?.dataset.theme === "dark");
  await page.locator("#question").waitFor();
  assert.equal(await ground(), dark);
  await page.getByRole("button", { name: "Theme of the system" }).click();
  assert.equal(await ground(), light);
  await page.leave();
});

test("a long chat opens at its end, holds few elements, and does not move under a reader", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await newChatWith(page, shared.goblin, { max_tokens: 1500, temperature: 0.8 });
  await ask(page, longQuestion);
  await streamingText(page, 1);
  const real = await page.evaluate(async () => {
    const id = location.pathname.split("/")[2];
    return (await (await fetch(`/api/chats/${id}/turns`)).json()).items[0];
  });
  const id = (number) => `01931234-0000-7000-8000-${String(number).padStart(12, "0")}`;
  const old = Array.from({ length: 400 }, (_, number) =>
    scene.turn({
      id: id(number),
      parent: number === 0 ? null : id(number - 1),
      content: `Question ${number}`,
      answer: `Answer ${number}. ${"Some more words. ".repeat((number * 7) % 60)}`,
    }),
  );
  await scene.turns(page, [...old, { ...real, parent: id(399) }]);
  await page.reload();
  await page.locator(`article[data-turn="${real.id}"]`).waitFor();
  await streamingText(page, 1);
  assert.ok((await turns(page).count()) < 25, "only what is near the screen is in the page");
  const scroller = page.getByRole("region", { name: "Conversation" });
  const distance = () =>
    scroller.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
  assert.ok((await distance()) < 100, `reads along at the end (${await distance()} px away)`);

  await scroller.hover();
  await page.mouse.wheel(0, -2500);
  await page.getByRole("button", { name: "Jump to latest" }).waitFor();
  await resting(scroller);
  const watched = await page.evaluate(() => {
    const box = document.querySelector(".turn-scroller").getBoundingClientRect();
    const turn = [...document.querySelectorAll("article.turn")].find(
      (article) => article.getBoundingClientRect().bottom > box.top + 50,
    );
    return { id: turn.dataset.turn, top: turn.getBoundingClientRect().top };
  });
  const written = async () => (await shared.goblin.api.get(`/api/turns/${real.id}`)).answer.length;
  const before = await written();
  await until("more of the answer is written", async () => (await written()) > before + 20);
  await still(page);
  const top = await page.evaluate(
    (turn) => document.querySelector(`[data-turn="${turn}"]`).getBoundingClientRect().top,
    watched.id,
  );
  assert.ok(
    Math.abs(top - watched.top) <= 1,
    `moved by ${top - watched.top} px while an answer was written`,
  );

  for (let wheels = 0; wheels < 60; wheels++) {
    const from = await scroller.evaluate((box) => box.scrollTop);
    await page.mouse.wheel(0, -3000);
    await page.waitForFunction((place) => {
      const { scrollTop } = document.querySelector(".turn-scroller");
      return scrollTop !== place || scrollTop === 0;
    }, from);
    if (await page.getByText("Question 340", { exact: true }).count()) break;
  }
  await page.getByText("Question 340", { exact: true }).first().waitFor();
  await page.getByRole("button", { name: "Jump to latest" }).click();
  await page.locator(`article[data-turn="${real.id}"]`).waitFor();
  await shared.goblin.api.post(`/api/turns/${real.id}/stop`);
  await page.leave();
});
