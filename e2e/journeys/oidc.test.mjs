// Signing in at a real provider of OpenID Connect, in a real browser.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fillIn, password } from "../lib/accounts.mjs";
import { makeAccount, startAccounts } from "../lib/goblin.mjs";
import { client, signInThere, startProvider } from "../lib/good_provider.mjs";
import { openBrowser } from "../lib/page.mjs";

const guest = "guest@example.org";
let provider;
let goblin;
let owner;
let browser;

before(async () => {
  provider = await startProvider();
  goblin = await startAccounts({
    GOBLIN_ENGINE__ENABLED: "false",
    OIDC_ISSUER: provider.issuer,
    OIDC_CLIENT_ID: client.id,
    OIDC_CLIENT_SECRET: client.secret,
    GOBLIN_AUTH__OIDC_NAME: "Example ID",
  });
  provider.open(`${goblin.url}/auth/oidc/oidc/callback`, (sub) => ({
    email: sub,
    email_verified: !sub.startsWith("unproven"),
    name: sub === guest ? "Grete Guest" : null,
  }));
  owner = await makeAccount(goblin, "/auth/setup", goblin.setupLink, "owner@example.org", password);
  await owner.post("/api/invitations", { email: guest, role: "member" });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await goblin?.stop();
  await provider?.stop();
});

/** A browser of its own, on the sign-in screen. */
async function newcomer() {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  await page.goto(goblin.url);
  await button(page).waitFor();
  return page;
}

const button = (page) => page.getByRole("button", { name: "Continue with Example ID" });

/** The provider knows nobody in this browser any more. */
const forgetThere = (page) => page.context().clearCookies({ name: /^_(session|interaction)/ });

const me = (page) =>
  page.evaluate(async () => {
    const response = await fetch("/auth/me");
    return response.ok ? response.json() : response.status;
  });

test("an invited guest signs in at the provider, is made an account, and is known the next time", async () => {
  const page = await newcomer();
  await button(page).click();
  await signInThere(page, provider, goblin, guest);
  await page.locator("#question").waitFor();
  const first = await me(page);
  assert.deepEqual([first.email, first.name, first.role], [guest, "Grete Guest", "member"]);
  assert.equal(new URL(page.url()).search, "", "nothing of the way back stays in the address");
  const cookies = await page.context().cookies(goblin.url);
  assert.ok(cookies.every(({ httpOnly, sameSite }) => httpOnly && sameSite === "Lax"));
  assert.ok(!cookies.some(({ name }) => name.endsWith("goblin-oauth")), "the way there is over");
  await page.context().close();

  const again = await newcomer();
  await button(again).click();
  await signInThere(again, provider, goblin, guest);
  await again.locator("#question").waitFor();
  assert.equal((await me(again)).id, first.id);
  const { items } = await owner.get("/api/audit?limit=50");
  assert.ok(items.some(({ action, user }) => action === "account.made" && user === first.id));
  await again.context().close();
});

test("whoever nobody invited, and whoever says no there, is told so and is not let in", async () => {
  const page = await newcomer();
  for (const [address, said] of [
    ["stranger@example.org", "Nobody here invited"],
    ["unproven@example.org", "does not say that this e-mail address is yours"],
    ["owner@example.org", "There is an account with this e-mail address"],
  ]) {
    await forgetThere(page);
    await button(page).click();
    await signInThere(page, provider, goblin, address);
    await page.getByRole("alert").filter({ hasText: said }).waitFor();
    assert.equal(await me(page), 401, address);
    assert.equal(new URL(page.url()).search, "");
  }
  await forgetThere(page);
  await button(page).click();
  await page.getByRole("button", { name: "No", exact: true }).click();
  await page.getByRole("alert").filter({ hasText: "did not allow" }).waitFor();
  assert.equal(await me(page), 401);
  await page.context().close();
});

test("an account links another way in, signs in by it, and unlinks it again", async () => {
  const page = await newcomer();
  await fillIn(page, "owner@example.org");
  await page.locator("#question").waitFor();
  const { id } = await me(page);
  await page.goto(`${goblin.url}/account/linked`);
  await page.getByText("None is linked.").waitFor();
  await page.getByRole("button", { name: "Link Example ID", exact: true }).click();
  await page.getByRole("button", { name: "Go to Example ID" }).click();
  await signInThere(page, provider, goblin, "owner@example.org");
  await page.getByRole("status").filter({ hasText: "Example ID is linked" }).waitFor();
  await page
    .getByRole("list", { name: "Linked sign-ins" })
    .getByText("owner@example.org")
    .waitFor();

  const elsewhere = await newcomer();
  await button(elsewhere).click();
  await signInThere(elsewhere, provider, goblin, "owner@example.org");
  await elsewhere.locator("#question").waitFor();
  assert.equal((await me(elsewhere)).id, id);
  await elsewhere.context().close();

  // What is the guest's cannot become the owner's.
  await forgetThere(page);
  await page.getByRole("button", { name: "Link Example ID", exact: true }).click();
  await page.getByRole("button", { name: "Go to Example ID" }).click();
  await signInThere(page, provider, goblin, guest);
  await page.getByRole("alert").filter({ hasText: "linked already" }).waitFor();

  await page.getByRole("button", { name: "Unlink Example ID" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Unlink" }).click();
  await page.getByText("None is linked.").waitFor();
  const { items } = await owner.get("/api/account/identities");
  assert.deepEqual(items, []);
  await page.context().close();
});
