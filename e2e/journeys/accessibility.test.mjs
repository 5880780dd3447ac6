import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible } from "../lib/axe.mjs";
import { journeys } from "../lib/journey.mjs";
import { ask, askBriefly, desktop, newChatWith, openPage, phone } from "../lib/page.mjs";
import { scene } from "../lib/scene.mjs";

const shared = journeys();
const rich = [
  "## Heading\n\nText with **bold**, `code`, [a link](https://example.org).\n",
  "| Angle | Use |\n|---:|---|\n| 15° | fish |\n",
  '```rust\n/// A comment\nfn main() -> Result<(), Error> { let x: u32 = 42; println!("{x}"); } // end\n```\n',
  '```python\n@decorator\nclass A(B):\n    async def f(self, x=None): return f"{x!r}" # why\n```\n',
  '```json\n{"a": [1, true, null], "b": "c"}\n```\n',
  "> A quote\n\n1. one\n2. two\n",
].join("\n");

/** A model server, and models of it, that no test could have at once with the others. */
const upstream = (id, name, more) => ({
  id,
  name,
  kind: "other",
  local: true,
  state: "up",
  detail: "Answers with 2 models.",
  fix: null,
  progress_percent: null,
  models: 2,
  models_loaded: 1,
  memory_bytes: null,
  admin_detail: null,
  ...more,
});
const model = (id, more) => ({
  id,
  provider: id.split("/")[0],
  local: true,
  context_window: 8192,
  state: "available",
  capabilities: ["chat"],
  starter: false,
  size_bytes: 2_000_000_000,
  parameters: "3B",
  memory_bytes: null,
  must_load: true,
  queued: 0,
  predicted_wait_ms: null,
  predicted_first_token_ms: null,
  decode_tokens_per_second: null,
  price: null,
  ...more,
});
const ill = [
  upstream("tier", "Model tier", {
    kind: "model_tier",
    state: "down",
    detail: "It cannot be reached.",
    fix: "Start it with `goblin models serve`.",
    admin_detail: "http://127.0.0.1:1 refused the connection",
  }),
  upstream("llamacpp", "llama-server", {
    kind: "llama_server",
    state: "loading",
    detail: "It loads its model.",
    progress_percent: 40,
  }),
  upstream("cloud", "Cloud", {
    local: false,
    state: "refused",
    detail: "It refuses this server's key.",
    fix: "Set another key.",
  }),
];
const well = upstream("ollama", "Ollama", { kind: "ollama", memory_bytes: 3_000_000_000 });
const models = [
  model("ollama/qwen2.5:3b", { state: "loaded", memory_bytes: 3_000_000_000, queued: 2 }),
  model("ollama/mistral:7b", { predicted_first_token_ms: 4000, decode_tokens_per_second: 12 }),
  model("tier/gemma:2b", { state: "down" }),
  model("llamacpp/phi3", { state: "loading" }),
  model("cloud/large", { local: false, must_load: false, size_bytes: null }),
];

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

      await scene.turns(page, [
        scene.turn({
          trace: scene.summary({ outcome: "low_confidence" }),
          feedback: {
            rating: "down",
            better_turn: null,
            better_than: [],
            second_opinion: null,
            comment: null,
            updated_at: "2026-11-23T10:00:00Z",
          },
        }),
        scene.turn({
          id: "01931234-0000-7000-8000-0000000000ab",
          parent: "01931234-0000-7000-8000-0000000000aa",
          answer: "",
          finish_reason: "content_filter",
          trace: scene.summary({ outcome: "rejected", refused_by: "safety:harm" }),
        }),
      ]);
      await scene.traces(page, scene.trace({ left_machine: true, sent: [{ to: "x", bytes: 9 }] }));
      await page.reload();
      await page.getByText("This answer was refused.").waitFor();
      await assertAccessible(page, "an answer that is not sure, and one that was refused");
      await page.getByTestId("facts").first().click();
      await page.getByText("On the way").waitFor();
      for (const part of ["Passed over", "Chosen by"]) {
        await page.locator("summary", { hasText: part }).click();
      }
      await assertAccessible(page, "the trace of an answer");
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });

      await page.goto(`${shared.goblin.url}/nowhere`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await assertAccessible(page, "unknown address");
      await page.route(/\/api\//, (route) => route.abort());
      await page.goto(shared.goblin.url);
      await page.getByRole("alert").waitFor();
      await assertAccessible(page, "server away");
      await page.leave();
    });

    test(`axe finds nothing while text is held, put aside and taken back: ${look}`, async () => {
      const page = await openPage(shared.browser, shared.goblin, { colorScheme, viewport });
      const say = await scene.line(page);
      const chat = await newChatWith(page, shared.goblin, {});
      await ask(page, "A question");
      const turn = scene.turn({ chat_id: chat.id, status: "streaming", answer: "", model: null });
      await say("turn", { turn, chat });
      await say("delta", { text: rich });
      const model = "ollama/gemma:2b";
      const by = "ollama/mistral:7b";
      await say("superseded", { model, by, local: true, why: "It was not sure enough." });
      await say("delta", { text: "Mix these two." });
      await say("retracted", { model: by, rule: "safety:harm", why: "A judge found it unsafe." });
      const about = { part: "window", window: 0 };
      await say("checking", { about, judge: model, held_tokens: 40 });
      await page.getByText("40 tokens held").waitFor();
      await assertAccessible(page, "held, put aside, taken back");
      await page.leave();
    });

    test(`axe finds nothing while model servers are ill: ${look}`, async () => {
      const page = await openPage(shared.browser, shared.goblin, { colorScheme, viewport });
      const strip = page.getByTestId("health-strip");
      await scene.status(page, { upstreams: [well, ...ill], models });
      await page.reload();
      await strip.getByText("and 1 more").waitFor();
      await assertAccessible(page, "some servers are ill");

      await strip.getByRole("button", { name: "Details" }).click();
      await page.getByRole("dialog", { name: "Where answers come from" }).waitFor();
      await page.getByText("qwen2.5:3b").waitFor();
      await assertAccessible(page, "where answers come from");
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });

      await page.getByRole("button", { name: /^Model:/ }).click();
      await page.getByRole("group", { name: /^Ollama/ }).waitFor();
      assert.equal(await page.getByRole("menuitemradio").count(), models.length + 1);
      await assertAccessible(page, "models of several servers");
      await page.keyboard.press("Escape");

      await scene.status(page, { upstreams: ill, models: models.slice(2), default_model: null });
      await page.reload();
      await strip.getByText("goblin models serve").waitFor();
      await assertAccessible(page, "all servers are ill");
      await page.leave();
    });
  }
}
