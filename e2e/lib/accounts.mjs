// People in front of the page, where there are accounts.
import { openPage } from "./page.mjs";

export const password = "a badger digs at night";

export const signInForm = (page) => page.getByRole("form", { name: "Sign in with a password" });

/** A browser of its own, in which somebody signs in. */
export async function pageOf(browser, goblin, email, options = {}) {
  const { path = "/", secret = password, ready, ...rest } = options;
  const page = await openPage(browser, goblin, { path, ready: "form", ...rest });
  await fillIn(page, email, secret);
  await page
    .locator(ready ?? "#question")
    .first()
    .waitFor();
  return page;
}

/** By keyboard alone, on a sign-in screen that is there. */
export async function fillIn(page, email, secret = password) {
  const form = signInForm(page);
  await form.getByLabel("E-mail address").focus();
  await page.keyboard.type(email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(secret);
  await page.keyboard.press("Enter");
}

/** The menu of the account, in the sidebar. */
export async function accountMenu(page, item) {
  const show = page.getByRole("button", { name: "Show chats" });
  if (await show.isVisible()) await show.click();
  await page.getByRole("button", { name: /^Account: / }).click();
  await page.getByRole("menuitem", { name: item }).click();
}

/** The link shown once, as the page lets one copy it. */
export async function copiedLink(page) {
  await page.getByRole("button", { name: "Copy link" }).click();
  return page.evaluate(() => navigator.clipboard.readText());
}

/** What a list of the page holds. */
export const rows = (page, name) => page.getByRole("list", { name }).getByRole("listitem");

/** Invites somebody in the page and gives back the link it shows once. */
export async function invite(page, goblin, email, role) {
  await page.goto(`${goblin.url}/admin/invitations`);
  const form = page.getByRole("form", { name: "Invite somebody" });
  await form.getByLabel("E-mail address").fill(email);
  await form.getByLabel("Role").selectOption(role);
  await form.getByRole("button", { name: "Make an invitation" }).click();
  await page.getByTestId("shown-once").waitFor();
  return copiedLink(page);
}
