// What whoever runs it sees of it: what it costs, and how everything is.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { pageOf, password } from "../lib/accounts.mjs";
import { makeAccount, startAccounts } from "../lib/goblin.mjs";
import { openBrowser } from "../lib/page.mjs";
import { picture } from "../lib/picture.mjs";

const owner = "owner@example.org";
let goblin;
let browser;
let as;
let model;

before(async () => {
  goblin = await startAccounts({
    // So that the pages have figures of a month, whatever day it is.
    GOBLIN_COSTS__HOSTS: "backend 7 a machine for the backend, models 25 a rented machine",
  });
  as = await makeAccount(goblin, "/auth/setup", goblin.setupLink, owner, password);
  model = (await as.get("/api/status")).default_model;
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await goblin?.stop();
});

const chat = (body) => as.post("/v1/chat/completions", body);
const question = (content) => ({ model, messages: [{ role: "user", content }], max_tokens: 16 });

/** What a line of the last ten minutes says now. */
const lately = (page, name) =>
  page
    .locator(".status-lines div")
    .filter({ hasText: new RegExp(`^${name}`) })
    .locator("strong");

/** Lines of some length, for a picture: answers, one wrong question, and a dozen looks of the page. */
async function somethingToSee(page) {
  for (let look = 0; look < 14; look++) {
    for (let asked = 0; asked < (look * 7) % 4; asked++) await chat(question("Name a number."));
    if (look === 9) await chat({ model, messages: [] }).catch(() => {});
    await page.waitForResponse(/\/api\/admin\/health/);
  }
}

test("what a month costs is there after the first answers, with what they would have cost elsewhere", async () => {
  for (const content of ["Name a colour.", "Name an animal."]) await chat(question(content));
  const page = await pageOf(browser, goblin, owner);
  await page.goto(`${goblin.url}/admin/costs`);
  await page.getByTestId("costs-total").getByText("for 2 requests").waitFor();
  const row = page.getByRole("region", { name: "By model" }).locator("tbody tr");
  await row.first().waitFor();
  const cells = await row.first().locator("td").allTextContents();
  assert.equal(cells[0], "2", "requests");
  assert.match(cells.at(-1), /\d/, "what local answers would have cost");
  await page.getByText("2 answers of your machines would have cost").waitFor();
  await picture(page, "costs");
  await page.leave();
});

test("how everything is says how many requests failed, and how often while one looks", async () => {
  const page = await pageOf(browser, goblin, owner);
  await page.goto(`${goblin.url}/admin/status`);
  await lately(page, "Answers a minute").waitFor();
  const before = await as.get("/api/status");
  await assert.rejects(chat({ model, messages: [] }), /messages/);
  const { outcomes } = await as.get("/api/status");
  assert.equal(outcomes.refused, before.outcomes.refused + 1);
  assert.equal(outcomes.failed, 0);
  assert.equal(outcomes.answers_failed, 0);
  // The next look of the page, five seconds later, sees it.
  await lately(page, "Refused a minute").filter({ hasText: /[1-9]/ }).waitFor();
  await page.getByText(new RegExp(`${outcomes.refused} refused and 0 failed here`)).waitFor();
  if (process.env.GOBLIN_PICTURES) await somethingToSee(page);
  await picture(page, "status");
  await page.leave();
});
