// Passkeys with Chromium's virtual authenticator.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addPasskey, authenticator } from "../lib/authenticator.mjs";
import { startGoblin } from "../lib/goblin.mjs";
import { openBrowser, openPage } from "../lib/page.mjs";

const password = "a few words in a row";
const shared = {};

before(async () => {
  const goblin = await startGoblin();
  const url = goblin.url.replace("127.0.0.1", "localhost");
  Object.assign(shared, { goblin: { ...goblin, url }, browser: await openBrowser() });
});
after(async () => {
  await shared.browser?.close();
  await shared.goblin?.stop();
});

/** As the page itself asks the server. */
const call = (page, method, path, body) =>
  page.evaluate(
    async ([method, path, body]) => {
      const response = await fetch(path, {
        method,
        headers: body ? { "content-type": "application/json" } : {},
        body: body ? JSON.stringify(body) : undefined,
      });
      return { status: response.status, body: await response.json().catch(() => null) };
    },
    [method, path, body],
  );

async function signOut(page) {
  assert.equal((await call(page, "POST", "/auth/logout")).status, 200);
  await page.goto(shared.goblin.url);
}

const useButton = (page) => page.getByRole("button", { name: "Sign in with a passkey" });

async function signInByPasskey(page) {
  await useButton(page).click();
  await page.locator("#question").waitFor();
}

async function signInByPassword(page) {
  await page.getByLabel("E-mail address").fill("owner@example.org");
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.locator("#question").waitFor();
}

async function removePasskey(page, name) {
  await page.getByRole("button", { name: `Remove ${name}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByText("You have no passkey yet.").waitFor();
}

test("a passkey is made, signs in, is renamed, and removed signs nobody in", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const made = await call(page, "POST", "/auth/setup", { email: "owner@example.org", password });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const phone = await authenticator(page);
  await addPasskey(page, shared.goblin, "This laptop");
  const [credential] = await phone.credentials();
  assert.equal(credential.isResidentCredential, true, "found without a name being typed");
  assert.equal(credential.rpId, "localhost");

  await signOut(page);
  await signInByPasskey(page);
  const sessions = await call(page, "GET", "/api/account/sessions");
  const current = sessions.body.items.find((session) => session.current);
  assert.equal(current.signed_in_by, "passkey");

  await page.goto(`${shared.goblin.url}/account/passkeys`);
  await page.getByRole("button", { name: "Rename This laptop" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Old laptop");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Rename Old laptop" }).waitFor();

  await signOut(page);
  await phone.verifies(false);
  await useButton(page).click();
  await page
    .getByRole("alert")
    .getByText(/cancelled|who holds it/)
    .waitFor();
  assert.equal((await call(page, "GET", "/api/chats")).status, 401, "nobody came in");
  await phone.verifies(true);
  await signInByPasskey(page);

  await page.goto(`${shared.goblin.url}/account/passkeys`);
  await removePasskey(page, "Old laptop");
  await signOut(page);
  assert.equal((await phone.credentials()).length, 1, "the device still has it");
  await useButton(page).click();
  await page
    .getByRole("alert")
    .getByText(/not known here/)
    .waitFor();
  assert.equal((await call(page, "GET", "/api/chats")).status, 401);
  await page.leave();
});

test("a copy of a passkey is noticed, reported, and neither of the two comes in", async () => {
  const page = await openPage(shared.browser, shared.goblin, { ready: ".entrance" });
  await signInByPassword(page);
  const phone = await authenticator(page);
  await addPasskey(page, shared.goblin, "Security key");
  await signOut(page);
  await signInByPasskey(page);
  await signOut(page);
  await phone.goBack();
  await useButton(page).click();
  await page.getByRole("alert").getByText(/copy/).waitFor();
  assert.equal((await call(page, "GET", "/api/chats")).status, 401);
  await signInByPassword(page);
  const audit = await call(page, "GET", "/api/audit?limit=50");
  assert.ok(audit.body.items.some(({ action }) => action === "passkey.copied"));
  await page.goto(`${shared.goblin.url}/account/passkeys`);
  await page.getByText("A copy of it was used").waitFor();
  await removePasskey(page, "Security key");
  await page.leave();
});

test("at an address browsers give no passkeys to, the page says where they work", async () => {
  const there = { ...shared.goblin, url: shared.goblin.url.replace("localhost", "127.0.0.1") };
  const page = await openPage(shared.browser, there, { ready: ".entrance" });
  await page.getByRole("link", { name: shared.goblin.url }).waitFor();
  assert.equal(await useButton(page).count(), 0);
  await page.leave();
});
