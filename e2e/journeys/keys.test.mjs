import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { pageOf, password } from "../lib/accounts.mjs";
import { assertAccessible } from "../lib/axe.mjs";
import { makeAccount, startAccounts } from "../lib/goblin.mjs";
import { desktop, openBrowser, phone } from "../lib/page.mjs";

let goblin;
let browser;
before(async () => {
  goblin = await startAccounts();
  browser = await openBrowser();
  await makeAccount(goblin, "/auth/setup", goblin.setupLink, owner, password);
});
after(async () => {
  await browser?.close();
  await goblin?.stop();
});

const owner = "owner@example.org";
const models = (key) =>
  fetch(`${goblin.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });

test("a key is made by keyboard, shown once, works for a program, and is over when it is revoked", async () => {
  const page = await pageOf(browser, goblin, owner);
  await page.goto(`${goblin.url}/account/keys`);
  const form = page.getByRole("form", { name: "Make a key" });
  await form.getByLabel("Name").focus();
  await page.keyboard.press("Enter");
  await form.getByText("Say who or what uses it").waitFor();
  await page.keyboard.type("notebook");
  await form.getByLabel("Addresses").fill("10.0.0.5/8");
  await page.keyboard.press("Enter");
  // What only the server knows is said beside the field it names.
  await form.getByText("digits beyond its prefix").waitFor();
  await form.getByLabel("Addresses").fill("");
  await page.keyboard.press("Enter");
  const shown = page.getByTestId("shown-once");
  await shown.waitFor();
  const key = await shown.textContent();
  assert.match(key, /^gbl_live_[0-9A-Za-z]{57}$/);
  assert.equal((await models(key)).status, 200);

  await page.reload();
  const row = page.getByRole("list", { name: "API keys" }).getByRole("listitem");
  await row.getByText("notebook").waitFor();
  assert.equal(await shown.count(), 0, "once");
  assert.ok(!(await page.content()).includes(key.slice(17, 60)));
  await row.getByRole("button", { name: "Revoke the key notebook" }).click();
  await page.getByRole("button", { name: "Revoke", exact: true }).click();
  await row.getByText("revoked").waitFor();
  assert.equal((await models(key)).status, 401);
  await page.leave();
});

for (const [name, viewport] of Object.entries({ desktop, phone })) {
  test(`the pages of keys are fit for everybody on a ${name}`, async () => {
    const page = await pageOf(browser, goblin, owner, { viewport });
    for (const place of ["/account/keys", "/admin/keys"]) {
      await page.goto(`${goblin.url}${place}`);
      await page.getByText("notebook").waitFor();
      await assertAccessible(page, `${place} on a ${name}`);
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
      );
      assert.equal(overflow, false, `${place} is not wider than a ${name}`);
    }
    await page.leave();
  });
}
