// The route table that `vercel build` wrote, asked path by path. VERCEL_OUTPUT is the folder `.vercel/output`.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { resolve } from "../lib/routes.mjs";

const output = process.env.VERCEL_OUTPUT;
if (!output) throw new Error("VERCEL_OUTPUT names no folder; run scripts/test_deploy.sh vercel");
const config = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));
const root = join(output, "static");
const isFile = (path) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile() ?? false;
const at = (path, method = "GET") =>
  resolve(config, path, { method, isFile, env: { ORIGIN_SECRET: "s3cret" } });
const backend = "https://goblin-backend.onrender.com";

test("what belongs to the backend goes there, with the proof that it came through here", () => {
  for (const path of [
    "/api/status",
    "/api/chats/1/turns",
    "/v1/chat/completions",
    "/auth/google/callback",
    "/auth/login",
  ]) {
    for (const method of ["GET", "POST", "DELETE"]) {
      const { proxy, request, response } = at(path, method);
      assert.equal(proxy, backend + path, `${method} ${path}`);
      assert.equal(request["x-origin-verify"], "s3cret", path);
      assert.equal(response["content-security-policy"], undefined, "the backend's own is stricter");
      assert.equal(response["cache-control"], undefined, "the backend says no-store");
    }
  }
});

test("what a client could send as the proof is overwritten by the table, not added to", () => {
  const transform = config.routes.find(({ transforms }) => transforms).transforms[0];
  assert.equal(transform.op, "set");
  assert.deepEqual(transform.env, ["ORIGIN_SECRET"]);
  assert.ok(!JSON.stringify(config).includes("s3cret"));
});

test("addresses within the page show it, and are asked for again each time", () => {
  for (const path of ["/", "/c/0193-chat", "/setup", "/account", "/admin"]) {
    const { file, status, response } = at(path);
    assert.equal(file, "/index.html", path);
    assert.equal(status, 200);
    assert.equal(response["cache-control"], "no-cache");
    assert.match(response["content-security-policy"], /default-src 'none'/);
    assert.equal(response["x-frame-options"], "DENY");
  }
});

test("files that carry their hash are kept for ever, all others are not, and missing ones are missing", () => {
  const assets = readdirSync(join(root, "assets"));
  assert.ok(assets.length > 3);
  for (const name of assets) {
    const { file, response } = at(`/assets/${name}`);
    assert.equal(file, `/assets/${name}`);
    assert.equal(response["cache-control"], "public, max-age=31536000, immutable");
  }
  for (const path of ["/theme.js", "/config.json", "/icon.svg", "/manifest.webmanifest"]) {
    assert.equal(at(path).file, path);
    assert.equal(at(path).response["cache-control"], "no-cache", path);
  }
  for (const path of [
    "/assets/gone-1234.js",
    "/robots.txt",
    "/health",
    "/metrics",
    "/.env",
    "/api",
    "/apiary.php",
  ]) {
    const { file, proxy, status } = at(path);
    assert.deepEqual([file, proxy, status], [undefined, undefined, 404], path);
    assert.doesNotMatch(at(path).response["cache-control"] ?? "", /immutable/, path);
  }
});

test("no secret of the build is in what is served", () => {
  const secrets = /ORIGIN_SECRET|sk-[A-Za-z0-9]{20}|sb_secret_|-----BEGIN [A-Z ]*PRIVATE KEY/;
  for (const name of readdirSync(root, { recursive: true })) {
    if (!isFile(name) || !/\.(js|css|html|json)$/.test(name)) continue;
    assert.doesNotMatch(readFileSync(join(root, name), "utf8"), secrets, name);
  }
});
