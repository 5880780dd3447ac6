// The page from a CDN, the backend elsewhere: what `vercel build` wrote, served by its own route table.
//
//   VERCEL_OUTPUT   the folder `.vercel/output` (scripts/vercel_build.sh makes it)
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { accountMenu, fillIn, password, signInForm } from "../lib/accounts.mjs";
import { startCdn } from "../lib/cdn.mjs";
import { startAccounts } from "../lib/goblin.mjs";
import {
  ask,
  finished,
  lastAnswer,
  lastTurn,
  longQuestion,
  openBrowser,
  openPage,
  streamingText,
} from "../lib/page.mjs";
import { picture } from "../lib/picture.mjs";
import { until } from "../lib/until.mjs";

const output = process.env.VERCEL_OUTPUT;
if (!output) throw new Error("VERCEL_OUTPUT names no folder; run scripts/test_deploy.sh cdn");
const vercel = JSON.parse(readFileSync(new URL("../../web/vercel.json", import.meta.url), "utf8"));
const stands = new URL(vercel.routes.find(({ dest }) => dest?.startsWith("https://")).dest).origin;
const secret = `origin-${randomUUID()}`;
const email = "owner@example.org";

let cdn;
let goblin;
let browser;

before(async () => {
  cdn = await startCdn({ output, stands, env: { ORIGIN_SECRET: secret } });
  const environment = {
    FRONTEND_URL: cdn.url,
    TRUSTED_PROXIES: "127.0.0.1",
    ORIGIN_SECRET: secret,
  };
  goblin = await startAccounts(environment, ["up"]);
  cdn.backend = goblin.url;
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await goblin?.stop();
  await cdn?.stop();
});

const open = (path, ready) => openPage(browser, cdn, { path, ready, ignoreHTTPSErrors: true });

async function signedIn() {
  const page = await open("/", "form");
  await fillIn(page, email);
  await page.locator("#question").waitFor();
  return page;
}

/** A request of the page itself, as its own code sends it. */
const send = (page, path, body) =>
  page.evaluate(
    async ([to, json]) => {
      const response = await fetch(to, {
        method: json ? "POST" : "GET",
        headers: json ? { "content-type": "application/json" } : {},
        body: json ? JSON.stringify(json) : undefined,
      });
      return { status: response.status, text: await response.text() };
    },
    [path, body],
  );

test("the owner is made, signs out and in, asks and comes back to the answer, all through the CDN", async () => {
  const page = await open(goblin.setupLink, "form");
  await picture(page, "cdn-setup", "operations");
  const form = page.getByRole("form", { name: "Set up Goblin" });
  await form.getByLabel("E-mail address").fill(email);
  await form.getByLabel("Password", { exact: true }).fill(password);
  await page.keyboard.press("Enter");
  await page.locator("#question").waitFor();

  // The cookie is one of the page's own host, out of reach of scripts.
  const cookies = await page.context().cookies();
  const session = cookies.find(({ name }) => name.startsWith("__Host-"));
  assert.ok(session, `no __Host- cookie among ${cookies.map(({ name }) => name)}`);
  const { domain, secure, httpOnly, sameSite } = session;
  assert.deepEqual([domain, secure, httpOnly, sameSite], ["localhost", true, true, "Lax"]);
  const last = cdn.passed.at(-1);
  assert.equal(
    last.headers["x-origin-verify"],
    secret,
    "the backend can tell that it came through the CDN",
  );
  assert.equal(last.headers.host, new URL(stands).host);

  await accountMenu(page, "Sign out");
  await signInForm(page).waitFor();
  assert.equal((await send(page, "/api/chats")).status, 401);
  await picture(page, "cdn-sign-in", "operations");
  await fillIn(page, email);
  await page.locator("#question").waitFor();

  await until("the model is in memory", async () => {
    const { status, text } = await send(page, "/api/status");
    return status === 200 && JSON.parse(text).default_model;
  });
  await page.reload();
  await page.locator("#question").waitFor();
  await ask(page, longQuestion);
  await page.waitForURL(/\/c\//);
  await streamingText(page, 40);
  const early = (await lastAnswer(page).textContent()).length;

  // Left in mid-answer and come back to: the answer goes on where it is by now.
  await page.reload();
  await page.locator("#question").waitFor();
  await streamingText(page, early + 40);
  const attached = cdn.passed.filter(({ path }) => /\/turns\/[^/]+\/events$/.test(path));
  assert.ok(attached.length > 0, "the page attached to the turn again");
  await picture(page, "cdn-streaming", "operations");
  await page.keyboard.press("Escape");
  await finished(page);
  assert.match(await lastAnswer(page).textContent(), /\S/);
  assert.ok(["complete", "stopped"].includes(await lastTurn(page).getAttribute("data-status")));
  await page.leave();
});

test("first tokens arrive while later ones are still made: nothing on the way collects a stream", async () => {
  const page = await signedIn();
  const { chunks, ended } = await page.evaluate(async (content) => {
    const response = await fetch("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: "goblin",
        stream: true,
        max_tokens: 60,
        messages: [{ role: "user", content }],
      }),
    });
    const reader = response.body.getReader();
    let count = 0;
    let text = "";
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      count += 1;
      text += new TextDecoder().decode(next.value);
    }
    return { chunks: count, ended: text.includes("[DONE]") };
  }, longQuestion);
  assert.ok(chunks > 5, `${chunks} pieces`);
  assert.ok(ended);
  await page.leave();
});

test("every address goes where it should: files, the page, the backend, or nowhere", async () => {
  const page = await open("/", "form");
  const look = (path, headers = {}) =>
    page.evaluate(
      async ([to, given]) => {
        const response = await fetch(to, { headers: given, redirect: "manual" });
        const text = response.type === "opaqueredirect" ? "" : await response.text();
        return {
          status: response.status,
          type: response.type,
          headers: Object.fromEntries(response.headers),
          text,
        };
      },
      [path, headers],
    );
  const isPage = ({ status, text }) => status === 200 && text.includes('<div id="root">');

  const root = await look("/");
  assert.ok(isPage(root));
  assert.equal(root.headers["cache-control"], "no-cache");
  assert.match(root.headers["content-security-policy"], /default-src 'none'.*trusted-types/);
  assert.equal(root.headers["x-content-type-options"], "nosniff");
  assert.match(root.headers["strict-transport-security"], /max-age=63072000/);
  assert.ok(isPage(await look("/c/0193-some-chat")), "an address within the page, reloaded");

  const script = root.text.match(/\/assets\/[^"]+\.js/)[0];
  const asset = await look(script);
  assert.equal(asset.status, 200);
  assert.equal(asset.headers["cache-control"], "public, max-age=31536000, immutable");
  const gone = await look("/assets/gone-0000.js");
  assert.equal(gone.status, 404, "an asset of another deployment is not the page");
  assert.ok(!gone.text.includes("<div"));
  assert.equal(gone.headers["cache-control"], "no-cache", "and is not remembered as missing");
  for (const path of ["/robots.txt", "/health", "/metrics", "/models"]) {
    assert.equal((await look(path)).status, 404, path);
  }

  const config = await look("/config.json");
  assert.deepEqual(JSON.parse(config.text), { api_origin: "" });

  const status = await look("/api/status");
  assert.equal(status.status, 401);
  assert.equal(status.headers["cache-control"], "no-store");
  assert.match(status.headers["content-type"], /problem\+json/);
  assert.match(
    status.headers["content-security-policy"],
    /^default-src 'none'; base-uri/,
    "the backend's own",
  );
  assert.equal((await look("/v1/models")).status, 401);

  // Google's way back: it must reach the backend, never the page.
  const before = cdn.passed.length;
  const callback = await look("/auth/google/callback?code=c&state=s");
  assert.equal(cdn.passed.length, before + 1);
  assert.equal(cdn.passed.at(-1).path, "/auth/google/callback");
  assert.ok(!callback.text.includes('<div id="root">'));
  await page.leave();
});

test("another page cannot act with the cookie, and a backend that is away is said so", async () => {
  const page = await signedIn();
  const cookie = (await page.context().cookies())
    .map(({ name, value }) => `${name}=${value}`)
    .join("; ");
  const response = await fetch(`${goblin.url}/api/chats`, {
    method: "POST",
    headers: {
      cookie,
      origin: "https://evil.example",
      "content-type": "application/json",
      "sec-fetch-site": "cross-site",
    },
    body: "{}",
  });
  assert.equal(response.status, 403);
  cdn.backend = null;
  try {
    assert.equal((await send(page, "/api/status")).status, 502);
  } finally {
    cdn.backend = goblin.url;
  }
  assert.equal((await send(page, "/api/status")).status, 200);
  await page.leave();
});
