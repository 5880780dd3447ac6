// The CDN of lib/cdn.mjs as a program of its own: serve.mjs SETTINGS
//
// SETTINGS is JSON: what startCdn takes, with `key` and `cert` as paths. It prints `ready`. A line of JSON on standard input
// changes where it passes requests on to or what it serves (`{"backend": "…"}`, `{"output": "…"}`), and is answered with `changed`.
// It ends when standard input does.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { startCdn } from "../lib/cdn.mjs";

const { key, cert, ...settings } = JSON.parse(process.argv[2]);
const tls = { key: readFileSync(key), cert: readFileSync(cert) };
const cdn = await startCdn({ ...settings, tls });
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  Object.assign(cdn, JSON.parse(line));
  console.log("changed");
}
await cdn.stop();
