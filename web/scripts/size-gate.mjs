// Holds the promise of goal 1: the JavaScript needed to read and write in a chat is at most 200 KB
// gzipped. Counts the entry, everything it imports, and the chat route's chunks with theirs.
// Highlighting (a worker and its languages) and dialogs load later and are listed apart.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT_KB = 200;
const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));
const gzip = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length;
const kb = (bytes) => (bytes / 1024).toFixed(1).padStart(7);

const needed = new Set();
function need(key) {
  const chunk = manifest[key];
  if (!chunk) throw new Error(`size-gate: ${key} is not in the manifest`);
  if (needed.has(chunk.file)) return;
  needed.add(chunk.file);
  for (const other of chunk.imports ?? []) need(other);
}

need("index.html");
const chatRoute = Object.keys(manifest).find((key) => /features\/chat\/ChatPage\.tsx$/.test(key));
if (!chatRoute) throw new Error("size-gate: the chat route is not a chunk of its own any more");
need(chatRoute);

let total = 0;
console.log("chat route, gzip KB");
for (const file of needed) {
  const size = gzip(file);
  total += size;
  console.log(`${kb(size)}  ${file}`);
}
console.log(`${kb(total)}  total (limit ${LIMIT_KB})`);

console.log("\nloaded later or not JavaScript, gzip KB");
const sourceMaps = [];
for (const file of readdirSync(new URL("assets/", dist)).sort()) {
  if (file.endsWith(".map")) sourceMaps.push(file);
  const path = `assets/${file}`;
  if (!needed.has(path)) console.log(`${kb(gzip(path))}  ${path}`);
}

if (sourceMaps.length > 0) {
  console.error(`size-gate: source maps in dist: ${sourceMaps.join(", ")}`);
  process.exit(1);
}
if (total > LIMIT_KB * 1024) {
  console.error(`size-gate: ${kb(total).trim()} KB is over the limit of ${LIMIT_KB} KB`);
  process.exit(1);
}
