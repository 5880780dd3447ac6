import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { journeys } from "../lib/journey.mjs";
import { askBriefly, desktop, openPage, phone } from "../lib/page.mjs";
import { scene } from "../lib/scene.mjs";

const shared = journeys();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

async function assertAccessible(page, where) {
  // Colours are measured: nothing may be half way through a transition.
  await page.waitForTimeout(250);
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(
    (values) => window.axe.run(document, { runOnly: { type: "tag", values } }),
    tags,
  );
  const found = violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`,
  );
  assert.deepEqual(found, [], where);
  assert.ok(passes.length > 10, `${where}: axe looked at something`);
}

const rich = [
  "## Heading\n\nText with **bold**, `code`, [a link](https://example.org).\n",
  "| Angle | Use |\n|---:|---|\n| 15° | fish |\n",
  '```rust\n/// A comment\nfn main() -> Result<(), Error> { let x: u32 = 42; println!("{x}"); } // end\n```\n',
  '```python\n@decorator\nclass A(B):\n    async def f(self, x=None): return f"{x!r}" # why\n```\n',
  '```json\n{"a": [1, true, null], "b": "c"}\n```\n',
  "> A quote\n\n1. one\n2. two\n",
].join("\n");

for (const colorScheme of ["light", "dark"]) {
  for (const viewport of [desktop, phone]) {
    const look = `${colorScheme} ${viewport.width}`;
    const narrow = viewport === phone;

    test(`axe finds nothing: ${look}`, async () => {
      const page = await openPage(shared.browser, shared.goblin, { colorScheme, viewport });
      await page.getByTestId("who-answers").locator("strong").waitFor();
      await assertAccessible(page, "start page");

      await page.getByRole("button", { name: "Settings of this chat" }).click();
      await page.getByRole("dialog").waitFor();
      await assertAccessible(page, "settings");
      await page.getByLabel("Temperature").fill("9");
      await page.getByRole("button", { name: "Save" }).click();
      await assertAccessible(page, "settings with an error");
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });

      await page.getByRole("button", { name: /^Model:/ }).click();
      await page.getByRole("menuitemradio").first().waitFor();
      await assertAccessible(page, "model picker");
      await page.keyboard.press("Escape");

      await page.evaluate(() => document.activeElement?.blur());
      await page.keyboard.press("?");
      await page.getByRole("dialog").waitFor();
      await assertAccessible(page, "help");
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });

      await askBriefly(page, shared.goblin, `Hello from ${look}`);
      await assertAccessible(page, "chat");
      if (narrow) {
        await page.getByRole("button", { name: "Show chats" }).click();
        await page.getByRole("dialog").waitFor();
        await assertAccessible(page, "drawer");
      }
      await page.getByRole("button", { name: `Actions for Hello from ${look}` }).click();
      await page.getByRole("menu").waitFor();
      await assertAccessible(page, "menu of a chat");
      await page.getByRole("menuitem", { name: "Rename" }).click();
      await page.getByRole("textbox", { name: "Name of the chat" }).waitFor();
      await assertAccessible(page, "renaming");
      await page.keyboard.press("Escape");
      if (narrow) await page.getByRole("button", { name: "Hide chats" }).click();

      await page.evaluate(() => document.activeElement?.blur());
      await page.keyboard.press("e");
      await page.getByRole("form", { name: "Edit question" }).waitFor();
      await assertAccessible(page, "editing a question");
      await page.keyboard.press("Escape");

      const failed = {
        type: "about:blank",
        title: "",
        status: 502,
        code: "upstream_failed",
        detail: "It hung up.",
        request_id: "r",
      };
      await scene.turns(page, [
        scene.turn({ answer: rich, left_out: 3, reasoning: "Hm." }),
        scene.turn({
          id: "01931234-0000-7000-8000-0000000000ab",
          parent: "01931234-0000-7000-8000-0000000000aa",
          status: "failed",
          error: failed,
        }),
      ]);
      await scene.problemOnce(page, {
        status: 429,
        code: "rate_limited",
        detail: "Too many.",
        retry_after_seconds: 60,
      });
      await page.reload();
      await page.locator(".hljs-keyword").first().waitFor({ state: "attached" });
      await page.locator("#question").fill("Again");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").waitFor();
      await assertAccessible(page, "code, table, failed answer and a refused question");

      await page.goto(`${shared.goblin.url}/nowhere`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await assertAccessible(page, "unknown address");
      await page.route(/\/api\//, (route) => route.abort());
      await page.goto(shared.goblin.url);
      await page.getByRole("alert").waitFor();
      await assertAccessible(page, "server away");
      await page.leave();
    });
  }
}
