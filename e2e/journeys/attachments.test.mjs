// Files attached to a question: on their way, refused with a reason, seen by the model, and there after a reload.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assertAccessible } from "../lib/axe.mjs";
import { given, startGoblin } from "../lib/goblin.mjs";
import {
  ask,
  chatIdOf,
  finished,
  lastAnswer,
  lastTurn,
  openBrowser,
  openPage,
  phone,
} from "../lib/page.mjs";
import { picture } from "../lib/picture.mjs";
import { askedOf, blindModel, seeingModel, startSeeing } from "../lib/seeing.mjs";
import { until } from "../lib/until.mjs";

const skip = given
  ? "GOBLIN_URL is one server; this needs one in front of a model that sees"
  : false;
// 12 × 8 pixels of leaf green.
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAwAAAAICAIAAABChommAAAAEUlEQVR42mPIn+JAEDGMKgIAHWJ5IRfte4UAAAAASUVORK5CYII=",
  "base64",
);
const image = { name: "leaf.png", mimeType: "image/png", buffer: png };
const notes = {
  name: "notes.md",
  mimeType: "text/html",
  buffer: Buffer.from("# Leaves\n\n```\ngreen\n```\n"),
};
const address = `data:image/png;base64,${png.toString("base64")}`;

let browser;
let goblin;
let seeing;
let folder;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), "goblin-e2e-files-"));
  seeing = await startSeeing();
  goblin = await startGoblin(seeing.environment);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await goblin?.stop();
  await seeing?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const files = (page) => page.locator(".draft-files li");
const attach = (page, ...what) => page.getByLabel("Files to attach").setInputFiles(what);
const send = (page) => page.getByRole("button", { name: "Send" });

/** The files beside the words are with the server. */
const attached = (page, count) =>
  page.waitForFunction(
    (count) =>
      document.querySelectorAll(".draft-files li .file-fact").length === count &&
      document.querySelectorAll(".draft-files li").length === count,
    count,
  );

/** The picture of the last question is drawn. */
const drawn = (page) =>
  page.waitForFunction(() => document.querySelector(".turn-files img")?.naturalWidth === 12);

test("a picture and a text go to a model that sees, and are there after a reload", {
  skip,
}, async () => {
  const page = await openPage(browser, goblin);
  await page.getByRole("button", { name: "Attach files" }).waitFor();
  await attach(page, image, notes);
  await attached(page, 2);
  await picture(page, "attachments");
  await assertAccessible(page, "files beside the words");
  await ask(page, "What is this leaf?");
  await finished(page);
  assert.match(await lastAnswer(page).textContent(), /I was given 1 picture/);
  const first = askedOf(seeing.asked.at(-1));
  assert.deepEqual(first.pictures, [address], "the bytes, as they were attached");
  assert.match(first.text, /^What is this leaf\?\n\nFile `notes\.md`:\n````\n# Leaves\n/);
  assert.equal(await files(page).count(), 0, "the field is empty again");

  const { items } = await goblin.api.get(`/api/chats/${chatIdOf(page)}/turns`);
  assert.deepEqual(
    items[0].attachments.map(({ name, media_type }) => [name, media_type]),
    [
      ["leaf.png", "image/png"],
      ["notes.md", "text/plain"],
    ],
  );
  assert.equal(items[0].model, seeingModel);

  await page.reload();
  await drawn(page);
  const link = lastTurn(page).getByRole("link", { name: /notes\.md/ });
  const [saved] = await Promise.all([page.waitForEvent("download"), link.click()]);
  assert.equal(saved.suggestedFilename(), "notes.md");
  await lastTurn(page).getByRole("button", { name: "Open leaf.png" }).press("Enter");
  const dialog = page.getByRole("dialog", { name: "leaf.png" });
  await dialog.getByRole("img", { name: "leaf.png" }).waitFor();
  await assertAccessible(page, "a picture that was opened");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await assertAccessible(page, "files of a question");

  await lastTurn(page).hover();
  await lastTurn(page).getByRole("button", { name: "Edit question" }).click();
  await page.getByLabel("Question", { exact: true }).fill("And now?");
  await page.keyboard.press("Enter");
  await until("the edited question was asked", () => seeing.asked.length > 1);
  await finished(page);
  const edited = askedOf(seeing.asked.at(-1));
  assert.deepEqual([edited.pictures, edited.text.split("\n")[0]], [[address], "And now?"]);
  await drawn(page);
  await page.leave();
});

test("what cannot be attached says why, and is no more than a line to remove", {
  skip,
}, async () => {
  const page = await openPage(browser, goblin, { viewport: phone, colorScheme: "light" });
  const large = join(folder, "large.png");
  writeFileSync(large, png);
  truncateSync(large, 50 * 1024 * 1024);
  await page.locator("#question").fill("Look");
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Attach files" }).press("Enter");
  const fake = { name: "fake.png", mimeType: "image/png", buffer: Buffer.from([0, 1, 2, 3]) };
  await (await chooser).setFiles([fake]);
  await files(page)
    .getByText("The file is neither a picture (PNG, JPEG, GIF or WebP) nor text")
    .waitFor();
  await page.getByLabel("Files to attach").setInputFiles(large);
  await files(page).getByText("A file may have at most 20971520 bytes").waitFor();
  assert.equal(
    await send(page).isDisabled(),
    true,
    "nothing goes out without what was meant to go with it",
  );
  await page
    .getByTestId("announcer")
    .getByText(/large\.png could not be attached/)
    .waitFor();
  await assertAccessible(page, "files that were refused");

  for (const name of ["fake.png", "large.png"]) {
    await page.getByRole("button", { name: `Remove ${name}` }).press("Enter");
    await files(page).getByText(name, { exact: true }).waitFor({ state: "detached" });
  }
  assert.equal(await send(page).isEnabled(), true);
  assert.equal(await page.evaluate(() => document.activeElement?.id), "question");
  await page.leave();
});

test("files are pasted and dropped, and kept with the words while the chosen model takes none", {
  skip,
}, async () => {
  const chat = await goblin.api.post("/api/chats", { model: blindModel });
  const page = await openPage(browser, goblin, { path: `/c/${chat.id}` });
  const give = (kind) =>
    page.locator("#question").evaluate(
      (field, { kind, base64 }) => {
        const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], `${kind}.png`, { type: "image/png" }));
        const given = { bubbles: true, cancelable: true };
        field.dispatchEvent(
          kind === "paste"
            ? new ClipboardEvent("paste", { ...given, clipboardData: data })
            : new DragEvent("drop", { ...given, dataTransfer: data }),
        );
      },
      { kind, base64: png.toString("base64") },
    );
  await give("paste");
  await give("drop");
  await attached(page, 2);
  await page.getByText(/reads text only\. Choose a model that takes pictures/).waitFor();
  const before = seeing.asked.length;
  await ask(page, "What is this?");
  await page.getByText(/reads text only\. Remove the image/).waitFor();
  assert.equal(await page.locator("#question").inputValue(), "What is this?");
  await attached(page, 2);
  await page.reload();
  await attached(page, 2);
  assert.equal(await page.locator("#question").inputValue(), "What is this?");
  assert.deepEqual((await goblin.api.get(`/api/chats/${chat.id}/turns`)).items, []);

  await goblin.api.patch(`/api/chats/${chat.id}`, { model: seeingModel });
  await page.reload();
  await attached(page, 2);
  await page.locator("#question").press("Enter");
  await until("the question was asked", () => seeing.asked.length > before);
  await finished(page);
  assert.equal(askedOf(seeing.asked.at(-1)).pictures.length, 2);
  assert.equal(await files(page).count(), 0);
  await page.leave();
});
