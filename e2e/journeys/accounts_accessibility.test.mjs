import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { copiedLink, invite, pageOf, password, rows, signInForm } from "../lib/accounts.mjs";
import { assertAccessible } from "../lib/axe.mjs";
import { given, makeAccount, startAccounts } from "../lib/goblin.mjs";
import { desktop, openBrowser, openPage, phone } from "../lib/page.mjs";

const owner = "owner@example.org";
const main = (page) => page.getByRole("main");

const skip = given ? "GOBLIN_URL is a server with people of its own; this needs a new one" : false;
let goblin;
let browser;
before(async () => {
  if (skip) return;
  goblin = await startAccounts();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await goblin?.stop();
});

/** Every screen of signing in, accounts and administration, and everything that opens on them. */
async function checkScreens(options) {
  const { colorScheme, viewport } = options;
  const look = `${colorScheme} ${viewport.width}`;
  const check = async (page, where) => {
    await assertAccessible(page, `${where}, ${look}`);
    const over = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(over, 0, `${where}, ${look}: as wide as the screen`);
  };

  const outside = await openPage(browser, goblin, { ...options, ready: "form" });
  await check(outside, "sign-in");
  await outside.keyboard.press("Tab");
  await outside.getByRole("button", { name: "Sign in" }).click();
  await signInForm(outside).getByText("Type an e-mail address").waitFor();
  await check(outside, "sign-in with errors");
  for (const path of ["/setup", "/reset", "/invitation#nothing"]) {
    await outside.goto(goblin.url + path);
    await main(outside).getByRole("heading").waitFor();
    await outside.getByText("Looking at the link…").waitFor({ state: "detached" });
    await check(outside, path);
  }
  await outside.leave();

  const page = await pageOf(browser, goblin, owner, options);
  await check(page, "start page of somebody signed in");
  if (viewport === phone) await page.getByRole("button", { name: "Show chats" }).click();
  await page.getByRole("button", { name: /^Account: / }).click();
  await page.getByRole("menu").waitFor();
  await check(page, "menu of the account");
  for (const [path, there] of [
    ["/account", page.getByRole("form", { name: "Name" })],
    ["/account/password", page.getByRole("form", { name: "Password" })],
    ["/account/sessions", rows(page, "Sign-ins").first()],
    ["/account/data", page.getByRole("button", { name: "Download everything" })],
    ["/admin/users", rows(page, "People").first()],
    ["/admin/invitations", page.getByRole("form", { name: "Invite somebody" })],
    ["/admin/teams", rows(page, "Teams").first()],
    ["/admin/providers", rows(page, "Providers").first()],
    ["/admin/costs", page.getByTestId("costs-forecast")],
    ["/admin/status", rows(page, "Checks").first()],
    ["/admin/audit", page.locator(".audit tbody tr").first()],
  ]) {
    await page.goto(goblin.url + path);
    await there.waitFor();
    if (path === "/admin/teams") {
      await page.locator("[data-team] summary").click();
      await page.getByLabel("Role of Ada Lovelace in Diggers").waitFor();
    }
    await check(page, path);
  }

  const link = await invite(page, goblin, "", "member");
  await check(page, "an invitation just made");
  const guest = await openPage(browser, goblin, { ...options, path: link, ready: "form" });
  await check(guest, "invitation");
  await guest.leave();
  await page
    .getByRole("button", { name: "Withdraw the invitation of Whoever has the link" })
    .click();
  await page.getByText("No invitation is open.").waitFor();

  await page.goto(`${goblin.url}/admin/users`);
  await page.getByRole("button", { name: "Actions for Ada Lovelace" }).click();
  await check(page, "menu of a person");
  await page.getByRole("menuitem", { name: "Make a link for another password" }).click();
  await page.getByTestId("shown-once").waitFor();
  const reset = await copiedLink(page);
  await page.getByRole("button", { name: "Actions for Ada Lovelace" }).click();
  await page.getByRole("menuitem", { name: "Shut out" }).click();
  await page.getByRole("dialog").waitFor();
  await check(page, "shutting out");
  await page.leave();
  const lost = await openPage(browser, goblin, { ...options, path: reset, ready: "form" });
  await check(lost, "reset");
  await lost.leave();
}

test("axe finds nothing before anybody owns the server", { skip }, async () => {
  for (const [path, name] of [
    ["/", "Nobody owns this server yet"],
    [goblin.setupLink, "Set up Goblin"],
  ]) {
    const page = await openPage(browser, goblin, { path, ready: "main h1", viewport: phone });
    await main(page).getByRole("heading", { name }).waitFor();
    await assertAccessible(page, path);
    await page.leave();
  }
  const made = await makeAccount(goblin, "/auth/setup", goblin.setupLink, owner, password);
  const { url } = await made.post("/api/invitations", { role: "member" });
  const ada = await makeAccount(goblin, "/auth/invitation", url, "ada@example.org", password);
  const { id } = await ada.patch("/api/account", { name: "Ada Lovelace" });
  const team = await made.post("/api/teams", { name: "Diggers" });
  await made.put(`/api/teams/${team.id}/members/${id}`, { role: "member" });
});

for (const colorScheme of ["light", "dark"]) {
  for (const viewport of [desktop, phone]) {
    test(
      `axe finds nothing and nothing is cut off: ${colorScheme} ${viewport.width}`,
      { skip },
      () => checkScreens({ colorScheme, viewport }),
    );
  }
}
