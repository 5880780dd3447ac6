// Letters, from the screen that asks for one to the screen its link leads to, by way of a real mail server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fillIn, password, signInForm } from "../lib/accounts.mjs";
import { assertAccessible } from "../lib/axe.mjs";
import { makeAccount, startAccounts } from "../lib/goblin.mjs";
import { linkOf, startMailSink } from "../lib/mail_sink.mjs";
import { desktop, openBrowser, openPage, phone } from "../lib/page.mjs";
import { picture } from "../lib/picture.mjs";

const ada = "ada@example.org";
const another = "another badger digs by day";
let sink;
let goblin;
let browser;
before(async () => {
  sink = await startMailSink();
  goblin = await startAccounts({
    SMTP_URL: sink.url,
    MAIL_FROM: "Goblin <goblin@example.org>",
    GOBLIN_AUTH__REGISTRATION_OPEN: "true",
  });
  await makeAccount(goblin, "/auth/setup", goblin.setupLink, "owner@example.org", password);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await goblin?.stop();
  await sink?.stop();
});

const heading = (page, name) => page.getByRole("main").getByRole("heading", { name });
const focused = (page) => page.evaluate(() => document.activeElement?.name);

/** A screen is fit for everybody, on a desktop and on a phone. */
async function check(page, where) {
  for (const viewport of [desktop, phone]) {
    await page.setViewportSize(viewport);
    await assertAccessible(page, `${where}, ${viewport.width}`);
    const over = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(over, 0, `${where}, ${viewport.width}: as wide as the screen`);
  }
}

/** The link of the next letter, which is to Ada. */
async function linkFor(path) {
  const letter = await sink.letter();
  assert.deepEqual(letter.to, [ada]);
  const link = linkOf(letter);
  assert.ok(link.startsWith(`${goblin.url}${path}#`), "it leads to our page and nowhere else");
  return link;
}

test("where registration is open somebody makes an account, and shows by a letter that the address is theirs", async () => {
  const page = await openPage(browser, goblin, { ready: "form" });
  await page.getByRole("link", { name: "Make one" }).click();
  const form = page.getByRole("form", { name: "Make an account" });
  await form.waitFor();
  await picture(page, "register");
  await check(page, "registration");

  await form.getByLabel("E-mail address").focus();
  await page.keyboard.type("nobody");
  await page.keyboard.press("Enter");
  await form.getByText("This is no e-mail address").waitFor();
  await form.getByText("Choose a password").waitFor();
  assert.equal(await focused(page), "email", "the first field that is wrong has the focus");
  await check(page, "registration with errors");
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(ada);
  await page.keyboard.press("Tab");
  await page.keyboard.type("Ada");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "password");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.locator("#question").waitFor();
  const me = await page.evaluate(async () => (await fetch("/auth/me")).json());
  assert.deepEqual([me.email, me.name, me.role], [ada, "Ada", "member"]);

  await page.goto(await linkFor("/verify"));
  await heading(page, "Is this your e-mail address?").waitFor();
  await page.getByText(ada).waitFor();
  await check(page, "verification");
  await page.getByRole("button", { name: "It is mine" }).press("Enter");
  await heading(page, "Thank you").waitFor();
  await check(page, "verified");
  await page.reload();
  await heading(page, "This link does not work").waitFor();
  await page.leave();
});

test("a forgotten password is set anew by the link of a letter, and the one before is no good any more", async () => {
  const elsewhere = await openPage(browser, goblin, { ready: "form" });
  await fillIn(elsewhere, ada);
  await elsewhere.locator("#question").waitFor();

  const page = await openPage(browser, goblin, { ready: "form" });
  // Of an address without an account the page says the same, and nobody gets a letter: the next one is Ada's.
  for (const address of ["nobody@example.org", ada]) {
    await page.goto(goblin.url);
    await page.getByRole("link", { name: "Forgot the password?" }).click();
    const form = page.getByRole("form", { name: "Forgot the password?" });
    await form.getByLabel("E-mail address").focus();
    await page.keyboard.type(address);
    if (address === ada) await check(page, "forgotten password");
    await form.getByLabel("E-mail address").press("Enter");
    await heading(page, "Look into your mail").waitFor();
  }
  await check(page, "a letter is on its way");
  await picture(page, "forgot-phone");

  const link = await linkFor("/reset");
  await page.goto(link);
  const form = page.getByRole("form", { name: "Choose another password" });
  await form.getByLabel("New password", { exact: true }).fill(another);
  await check(page, "another password");
  await form.getByLabel("New password", { exact: true }).press("Enter");
  await heading(page, "The password is set").waitFor();
  await check(page, "the password is set");
  await page.getByRole("link", { name: "Sign in", exact: true }).press("Enter");
  await fillIn(page, ada);
  await signInForm(page).getByText("Invalid email or password").waitFor();
  await signInForm(page).getByLabel("Password", { exact: true }).fill(another);
  await page.keyboard.press("Enter");
  await page.locator("#question").waitFor();

  await elsewhere.reload();
  await heading(elsewhere, "Sign in").waitFor();
  await elsewhere.leave();
  await page.goto(link);
  await heading(page, "This link does not work").waitFor();
  await page.leave();
});
