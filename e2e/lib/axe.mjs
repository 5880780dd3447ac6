// What axe-core says of a page as it is shown.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { still } from "./until.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

export async function assertAccessible(page, where) {
  // Colours are measured: nothing may be half way through a transition.
  await still(page);
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
