import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import {
  accountMenu,
  copiedLink,
  fillIn,
  invite,
  pageOf,
  password,
  rows,
  signInForm,
} from "../lib/accounts.mjs";
import { addPasskey, authenticator } from "../lib/authenticator.mjs";
import { given, startAccounts, startGoblin } from "../lib/goblin.mjs";
import { client, signInThere, startProvider } from "../lib/good_provider.mjs";
import { ask, finished, lastTurn, openBrowser, openPage } from "../lib/page.mjs";
import { picture } from "../lib/picture.mjs";
import { until } from "../lib/until.mjs";
import { readZip } from "../lib/zip.mjs";

// One server, from its first start on: each journey goes on where the one before ended. The set-up link makes the owner,
// who invites a member, who signs in by password, by passkey and at a provider of OpenID Connect, and ends sign-ins.

const skip = given ? "GOBLIN_URL is a server with people of its own; this needs a new one" : false;
let provider;
let goblin;
let browser;
before(async () => {
  if (skip) return;
  provider = await startProvider();
  // Browsers give passkeys to localhost, not to 127.0.0.1.
  const named = (url) => url.replace("127.0.0.1", "localhost");
  const started = await startAccounts((url) => ({
    FRONTEND_URL: named(url),
    OIDC_ISSUER: provider.issuer,
    OIDC_CLIENT_ID: client.id,
    OIDC_CLIENT_SECRET: client.secret,
    GOBLIN_AUTH__OIDC_NAME: "Example ID",
  }));
  goblin = { ...started, url: named(started.url) };
  provider.open(`${goblin.url}/auth/oidc/oidc/callback`, (sub) => ({
    email: sub,
    email_verified: true,
  }));
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await goblin?.stop();
  await provider?.stop();
});

const owner = "owner@example.org";
const member = "member@example.org";
const main = (page) => page.getByRole("main");
const isSignedOut = (page) => main(page).getByRole("heading", { name: "Sign in" }).waitFor();
const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/** The next request of a page whose sign-in is over: it sends its draft, unless it has asked by itself meanwhile. */
async function isOverAtTheNextRequest(page) {
  await page
    .locator("#question")
    .press("Enter", { timeout: 2000 })
    .catch(() => {});
  await isSignedOut(page);
}

/** Goes by Tab, or back, as one does without a pointer, to what is to have the focus. */
async function tabTo(page, wanted, key = "Tab") {
  const isThere = () => wanted.evaluate((element) => element === document.activeElement);
  for (let presses = 0; presses < 20; presses += 1) {
    if (await isThere()) return;
    await page.keyboard.press(key);
  }
  assert.fail(`${wanted} cannot be reached with Tab`);
}

async function accept(link, name) {
  const page = await openPage(browser, goblin, { path: link, ready: "form" });
  const form = page.getByRole("form");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Password", { exact: true }).fill(password);
  await page.keyboard.press("Enter");
  await page.locator("#question").waitFor();
  return page;
}

test("the set-up link of the first start makes the owner, by keyboard alone", {
  skip,
}, async () => {
  const early = await openPage(browser, goblin, { ready: "main h1" });
  await main(early).getByRole("heading", { name: "Nobody owns this server yet" }).waitFor();
  await early.leave();

  const page = await openPage(browser, goblin, { path: goblin.setupLink, ready: "form" });
  const form = page.getByRole("form", { name: "Set up Goblin" });
  await picture(page, "set-up");
  await form.getByLabel("E-mail address").focus();
  await page.keyboard.type("nobody");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.type("short");
  await page.keyboard.press("Enter");
  await form.getByText("This is no e-mail address").waitFor();
  await form.getByText("at least 8 characters").waitFor();
  const focused = () => page.evaluate(() => document.activeElement.name);
  assert.equal(await focused(), "email", "the first field that is wrong has the focus");

  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(owner);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "password");
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(owner);
  await page.keyboard.press("Enter");
  // What only the server knows is said beside the field it names.
  await form.getByText("too easy to guess").waitFor();
  assert.equal(await focused(), "password");
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");

  await page.locator("#question").waitFor();
  assert.equal(new URL(page.url()).pathname + new URL(page.url()).hash, "/");
  await page.getByRole("button", { name: `Account: ${owner}`, exact: false }).waitFor();
  await page.leave();

  const again = await openPage(browser, goblin, { path: goblin.setupLink, ready: "main h1" });
  await main(again).getByText("has its owner already").waitFor();
  await again.leave();
});

test("the owner invites, the invited comes in, signs out, and signs in by password", {
  skip,
}, async () => {
  const page = await pageOf(browser, goblin, owner);
  await accountMenu(page, "Administration");
  await page.waitForURL(`${goblin.url}/admin`);
  const link = await invite(page, goblin, member, "member");
  await rows(page, "Open invitations").getByText(member).waitFor();

  const guest = await openPage(browser, goblin, { path: link, ready: "form" });
  const address = guest.getByRole("form").getByLabel("E-mail address");
  assert.equal(await address.inputValue(), member);
  assert.equal(await address.isEditable(), false, "the invitation is for one address");
  await guest.leave();

  const newcomer = await accept(link, "Ada");
  await newcomer.getByRole("button", { name: /^Account: Ada/ }).waitFor();
  await accountMenu(newcomer, "Sign out");
  await isSignedOut(newcomer);

  await fillIn(newcomer, member, "not the password");
  await signInForm(newcomer).getByText("Invalid email or password").waitFor();
  await signInForm(newcomer).getByLabel("Password", { exact: true }).fill(password);
  await newcomer.keyboard.press("Enter");
  await newcomer.locator("#question").waitFor();
  await newcomer.leave();

  const used = await openPage(browser, goblin, { path: link, ready: "main h1" });
  await main(used).getByRole("heading", { name: "This invitation does not work" }).waitFor();
  await used.leave();

  await page.reload();
  await page.getByText("No invitation is open.").waitFor();
  const other = await invite(page, goblin, "other@example.org", "member");
  await page.getByRole("button", { name: "Withdraw the invitation of other@example.org" }).click();
  await page.getByText("No invitation is open.").waitFor();
  const withdrawn = await openPage(browser, goblin, { path: other, ready: "main h1" });
  await main(withdrawn).getByRole("heading", { name: "This invitation does not work" }).waitFor();
  await withdrawn.leave();
  await page.leave();
});

test("the member adds a passkey, and signs in by it", { skip }, async () => {
  const page = await pageOf(browser, goblin, member);
  await authenticator(page);
  await addPasskey(page, goblin, "This laptop");
  await picture(page, "passkeys");
  await accountMenu(page, "Sign out");
  await isSignedOut(page);
  await page.getByRole("button", { name: "Continue with Example ID" }).waitFor();
  await picture(page, "sign-in-ways");
  await page.getByRole("button", { name: "Sign in with a passkey" }).press("Enter");
  await page.locator("#question").waitFor();
  await page.goto(`${goblin.url}/account/sessions`);
  const mine = rows(page, "Sign-ins").filter({ hasText: "this one" });
  await mine.getByText("signed in with a passkey").waitFor();
  await page.leave();
});

test("the member links a provider, and signs in there", { skip }, async () => {
  const elsewhere = [provider.issuer];
  const page = await pageOf(browser, goblin, member, { elsewhere });
  await page.goto(`${goblin.url}/account/linked`);
  await page.getByRole("button", { name: "Link Example ID", exact: true }).press("Enter");
  await page.getByRole("button", { name: "Go to Example ID" }).press("Enter");
  await signInThere(page, provider, goblin, member);
  await page.getByRole("status").filter({ hasText: "Example ID is linked" }).waitFor();
  await picture(page, "linked");
  await page.leave();

  const other = await openPage(browser, goblin, { ready: "form", elsewhere });
  await other.getByRole("button", { name: "Continue with Example ID" }).press("Enter");
  await signInThere(other, provider, goblin, member);
  await other.locator("#question").waitFor();
  await other.getByRole("button", { name: /^Account: Ada/ }).waitFor();
  await other.goto(`${goblin.url}/account/sessions`);
  await rows(other, "Sign-ins").filter({ hasText: "signed in with a passkey" }).waitFor();
  const current = await other.evaluate(async () => {
    const { items } = await (await fetch("/api/account/sessions")).json();
    return items.find((session) => session.current);
  });
  assert.equal(current.signed_in_by, "oidc");
  await other.leave();
});

test("a sign-in ended in one place is over in the other at its next request, and nothing written is lost", {
  skip,
}, async () => {
  const here = await pageOf(browser, goblin, member);
  const there = await pageOf(browser, goblin, member, {
    userAgent: firefox,
  });
  await there.getByTestId("who-answers").locator("strong").waitFor();
  await ask(there, "Say hello.");
  await there.waitForURL(/\/c\//);
  await finished(there);
  const chat = there.url();
  await there.locator("#question").fill("What was I about to ask?");

  await here.goto(`${goblin.url}/account/sessions`);
  const mine = rows(here, "Sign-ins").filter({ hasText: "this one" });
  await mine.waitFor();
  assert.equal(await mine.getByRole("button").count(), 0);
  await rows(here, "Sign-ins").getByText("Firefox on Linux").waitFor();
  await here.getByRole("button", { name: "Sign out Firefox on Linux" }).click();
  await rows(here, "Sign-ins").getByText("Firefox on Linux").waitFor({ state: "detached" });

  await there.locator("#question").press("Enter");
  await isSignedOut(there);
  assert.equal(await there.getByText("Say hello.").count(), 0, "nothing of the chat is on screen");
  assert.equal(there.url(), chat, "the address stays");
  await fillIn(there, member);
  await there.locator("#question").waitFor();
  assert.equal(there.url(), chat);
  assert.equal(await there.locator("#question").inputValue(), "What was I about to ask?");
  await there.locator("#question").press("Enter");
  await lastTurn(there).getByText("What was I about to ask?").waitFor();
  await finished(there);

  // One button ends all others; this one stays.
  await here.reload();
  await here.getByRole("button", { name: "Sign out everywhere else" }).click();
  await here.getByRole("dialog").getByRole("button", { name: "Sign out everywhere else" }).click();
  await here.getByRole("dialog").waitFor({ state: "detached" });
  await until("only this one is left", async () => (await rows(here, "Sign-ins").count()) === 1);
  await there.getByRole("button", { name: "Answer again" }).last().click();
  await isSignedOut(there);
  await here.leave();
  await there.leave();
});

test("a sign-in ended in one tab, or for all its tabs, is over in each at its next request, and what was typed stays", {
  skip,
}, async () => {
  const draft = "Half a question";
  const tab = await pageOf(browser, goblin, member);
  const beside = await openPage(browser, goblin, { beside: tab });
  for (const page of [tab, beside]) {
    await page.getByTestId("who-answers").locator("strong").waitFor();
  }
  await beside.locator("#question").fill(draft);
  await tab.locator("#question").fill("Another half");

  const device = await pageOf(browser, goblin, member, { userAgent: firefox });
  await device.goto(`${goblin.url}/account/sessions`);
  await device.getByRole("button", { name: "Sign out everywhere else" }).click();
  const sure = device.getByRole("dialog");
  await sure.getByRole("button", { name: "Sign out everywhere else" }).click();
  await sure.waitFor({ state: "detached" });
  await device.leave();
  await isOverAtTheNextRequest(tab);
  await isOverAtTheNextRequest(beside);
  await fillIn(beside, member);
  await beside.locator("#question").waitFor();
  assert.equal(await beside.locator("#question").inputValue(), draft);

  // The tabs have one cookie: whoever signs in in one is signed in in both, and so it is with signing out.
  await tab.reload();
  await tab.locator("#question").waitFor();
  assert.equal(await tab.locator("#question").inputValue(), "Another half");
  await accountMenu(tab, "Sign out");
  await isSignedOut(tab);
  await isOverAtTheNextRequest(beside);
  await fillIn(beside, member);
  await beside.locator("#question").waitFor();
  assert.equal(await beside.locator("#question").inputValue(), draft);
  await beside.leave();
  await tab.leave();
});

test("somebody changes their name and their password", { skip }, async () => {
  const page = await pageOf(browser, goblin, member);
  const elsewhere = await pageOf(browser, goblin, member);
  await accountMenu(page, "Your account");
  await page.getByRole("form", { name: "Name" }).getByLabel("Name").fill("Ada Lovelace");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: /^Account: Ada Lovelace/ }).waitFor();

  await page.getByRole("link", { name: "Password" }).click();
  const form = page.getByRole("form", { name: "Password" });
  await form.getByLabel("Current password", { exact: true }).fill("something else");
  await form.getByLabel("New password", { exact: true }).fill("another badger digs by day");
  await page.keyboard.press("Enter");
  await form.getByText("This is not your password.").waitFor();
  await form.getByLabel("Current password", { exact: true }).fill(password);
  await page.keyboard.press("Enter");
  await page.getByText("Password changed. Everywhere else you are signed out.").first().waitFor();

  await elsewhere.getByRole("button", { name: "Settings of this chat" }).waitFor();
  await ask(elsewhere, "Hello?");
  await isSignedOut(elsewhere);
  await fillIn(elsewhere, member, "another badger digs by day");
  await elsewhere.locator("#question").waitFor();
  await page.goto(`${goblin.url}/account/sessions`);
  await rows(page, "Sign-ins").first().waitFor();
  await page.leave();
  await elsewhere.leave();
});

test("an owner makes a link for another password, and it works once", { skip }, async () => {
  const page = await pageOf(browser, goblin, owner, { path: "/admin/users", ready: ".rows li" });
  await page.getByRole("button", { name: "Actions for Ada Lovelace" }).click();
  await page.getByRole("menuitem", { name: "Make a link for another password" }).click();
  const link = await copiedLink(page);
  await page.leave();

  const lost = await openPage(browser, goblin, { path: link, ready: "form" });
  await lost.getByLabel("New password", { exact: true }).fill(password);
  await lost.keyboard.press("Enter");
  await main(lost).getByRole("heading", { name: "The password is set" }).waitFor();
  await main(lost).getByRole("link", { name: "Sign in" }).click();
  await fillIn(lost, member);
  await lost.locator("#question").waitFor();
  await lost.leave();

  const again = await openPage(browser, goblin, { path: link, ready: "main h1" });
  await main(again).getByRole("heading", { name: "This link does not work" }).waitFor();
  await again.leave();
});

test("a viewer is offered nothing that asks, and a role changed by the owner counts at once", {
  skip,
}, async () => {
  const boss = await pageOf(browser, goblin, owner);
  const viewer = await accept(await invite(boss, goblin, "viewer@example.org", "viewer"), "Vera");
  await viewer.getByText("you read, and ask nothing").waitFor();
  assert.equal(await viewer.locator("#question").isEnabled(), true, "a text may be written");
  await viewer.locator("#question").fill("May I?");
  assert.equal(await viewer.getByRole("button", { name: "Send" }).isDisabled(), true);
  await viewer.locator("#question").press("Enter");
  assert.equal(await viewer.getByRole("button", { name: "Settings of this chat" }).count(), 0);
  const status = await viewer.evaluate(
    async () =>
      (
        await fetch("/api/chats", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: "{}",
        })
      ).status,
  );
  assert.equal(status, 403, "and the server says so too");
  await viewer.getByRole("button", { name: /^Account: Vera/ }).click();
  await viewer.getByRole("menuitem", { name: "Your account" }).waitFor();
  assert.equal(await viewer.getByRole("menuitem", { name: "Administration" }).count(), 0);
  await viewer.keyboard.press("Escape");

  await boss.goto(`${goblin.url}/admin/users`);
  await boss.getByLabel("Role of Vera").selectOption("member");
  await until("the role is changed", async () => {
    return (await boss.getByTestId("announcer").textContent()).includes("Vera is Member now");
  });
  await viewer.reload();
  await isSignedOut(viewer);
  await fillIn(viewer, "viewer@example.org");
  await viewer.locator("#question").waitFor();
  assert.equal(await viewer.locator("#question").inputValue(), "May I?");
  assert.equal(await viewer.getByRole("button", { name: "Send" }).isDisabled(), false);

  await boss.getByRole("button", { name: "Actions for Vera" }).click();
  await boss.getByRole("menuitem", { name: "Shut out" }).click();
  await boss.getByRole("dialog").getByRole("button", { name: "Shut out" }).click();
  await rows(boss, "People").filter({ hasText: "Vera" }).getByText("shut out").waitFor();
  await viewer.locator("#question").press("Enter");
  await isSignedOut(viewer);
  await fillIn(viewer, "viewer@example.org");
  await signInForm(viewer).getByText("Invalid email or password").waitFor();
  await viewer.leave();
  await boss.leave();
});

test("the audit log tells what was done, and that nobody changed it", { skip }, async () => {
  const page = await pageOf(browser, goblin, owner, {
    path: "/admin/audit",
    ready: ".audit tbody tr",
  });
  const log = page.getByRole("region", { name: "Entries" });
  const more = page.getByRole("button", { name: /^Show more/ });
  if (await more.isVisible()) await more.click();
  for (const deed of [
    "Account made",
    "Invitation withdrawn",
    "Password set by a link",
    "Sign-in refused",
  ]) {
    await log.getByText(deed).first().waitFor();
  }
  assert.equal(await log.getByText(password).count(), 0);
  await page.getByRole("button", { name: "Check the whole log" }).click();
  await page.getByText("Every entry is as it was written.").waitFor();
  await page.leave();
});

test("somebody takes everything of theirs along, and nothing of anybody else's", {
  skip,
}, async () => {
  const secret = "The owner counts the silver";
  const boss = await pageOf(browser, goblin, owner);
  const kept = await boss.evaluate(async (title) => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ title, system: title });
    return (await fetch("/api/chats", { method: "POST", headers, body })).json();
  }, secret);
  assert.equal(kept.title, secret);
  await boss.leave();

  const page = await pageOf(browser, goblin, member);
  const chats = await page.evaluate(async () => (await (await fetch("/api/chats")).json()).items);
  assert.equal(chats.length, 1);
  await page.goto(`${goblin.url}/account/data`);
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download everything" }).press("Enter");
  const download = await coming;
  assert.match(download.suggestedFilename(), /^goblin-export-\d{4}-\d{2}-\d{2}\.zip$/);
  const files = readZip(readFileSync(await download.path()));
  await page.leave();

  const json = (name) => JSON.parse(files.get(`data/${name}.json`));
  assert.equal(json("account").email, member);
  assert.deepEqual(
    json("chats").map(({ id }) => id),
    chats.map(({ id }) => id),
  );
  const asked = json("turns").map(({ content }) => content);
  assert.deepEqual(asked.slice(0, 2), ["Say hello.", "What was I about to ask?"]);
  const readable = [...files.keys()].filter((name) => name.startsWith("chats/"));
  assert.equal(readable.length, 1);
  assert.ok(readable[0].endsWith(` ${chats[0].id}.md`), readable[0]);
  for (const question of asked) assert.ok(files.get(readable[0]).includes(question));
  for (const [name, text] of files) {
    for (const foreign of [secret, kept.id, owner, "viewer@example.org", password, "argon2"]) {
      assert.ok(!text.includes(foreign), `${name} has ${foreign}`);
    }
  }
});

test("an owner makes a team, takes somebody in, sets their role and takes them out, by keyboard alone", {
  skip,
}, async () => {
  const page = await pageOf(browser, goblin, owner, {
    path: "/admin/teams",
    ready: "[aria-label='Make a team']",
  });
  const form = page.getByRole("form", { name: "Make a team" });
  const keys = page.keyboard;
  await form.getByLabel("Name").focus();
  await keys.press("Enter");
  await form.getByText("Say what it is called").waitFor();
  await keys.type("Diggers");
  await keys.press("Enter");
  const team = page.locator("li[data-team]", { hasText: "Diggers" });
  await team.getByText("members: 0").waitFor();

  await tabTo(page, team.locator("summary"));
  await keys.press("Enter");
  const choice = page.getByLabel("Take somebody into Diggers");
  await choice.locator("option", { hasText: "Ada Lovelace" }).waitFor({ state: "attached" });
  await tabTo(page, choice);
  await keys.press("a");
  const role = page.getByLabel("Role of Ada Lovelace in Diggers");
  await role.waitFor();
  await team.getByText("members: 1").waitFor();
  assert.equal(await role.inputValue(), "member");
  await tabTo(page, role, "Shift+Tab");
  await keys.press("a");
  const said = page.getByTestId("announcer");
  await said.getByText("Ada Lovelace is Admin of Diggers").waitFor({ state: "attached" });
  await picture(page, "teams");
  await page.reload();
  await team.locator("summary").press("Enter");
  await role.waitFor();
  assert.equal(await role.inputValue(), "admin", "it is kept");

  // Within the team she is an admin; of the server she stays a member.
  const ada = await pageOf(browser, goblin, member);
  await ada.getByRole("button", { name: /^Account: Ada/ }).click();
  await ada.getByRole("menuitem", { name: "Your account" }).waitFor();
  assert.equal(await ada.getByRole("menuitem", { name: "Administration" }).count(), 0);
  await ada.goto(`${goblin.url}/admin/teams`);
  await ada.getByRole("heading", { name: "This is for admins and owners" }).waitFor();
  assert.equal(await ada.getByText("Diggers").count(), 0);
  const status = await ada.evaluate(async () => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ name: "Hers" });
    return (await fetch("/api/teams", { method: "POST", headers, body })).status;
  });
  assert.equal(status, 403, "and the server says so too");
  await ada.leave();

  await tabTo(page, page.getByRole("button", { name: "Take out Ada Lovelace from Diggers" }));
  await keys.press("Enter");
  await role.waitFor({ state: "detached" });
  await team.getByText("members: 0").waitFor();
  await page.getByRole("button", { name: "End team Diggers" }).press("Enter");
  await page.getByRole("dialog").getByRole("button", { name: "End the team" }).press("Enter");
  await team.waitFor({ state: "detached" });
  await page.leave();
});

test("in local mode nobody signs in, until somebody makes the first account", {
  skip,
}, async () => {
  const local = await startGoblin();
  try {
    const page = await openPage(browser, local);
    await page.getByTestId("who-answers").locator("strong").waitFor();
    assert.equal(await page.getByRole("button", { name: /^Account: / }).count(), 0);
    const chat = await local.api.post("/api/chats", { title: "Dug before there were accounts" });

    await page.goto(`${local.url}/account`);
    await page.getByRole("heading", { name: "There are no accounts here" }).waitFor();
    await page.getByRole("link", { name: "Make the first account" }).click();
    const form = page.getByRole("form", { name: "Set up Goblin" });
    await form.getByLabel("E-mail address").fill(owner);
    await form.getByLabel("Password", { exact: true }).fill(password);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: /^Account: / }).waitFor();
    await page.getByRole("link", { name: chat.title }).waitFor();
    await page.leave();

    const other = await openPage(browser, local, { ready: "form" });
    await isSignedOut(other);
    await other.leave();
  } finally {
    await local.stop();
  }
});
