// Writes src/api/schema.d.ts from ../openapi.json, which a test of the server writes.
// With --check it writes nothing and fails when the committed file is out of step.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import openapiTypescript, { astToString } from "openapi-typescript";

const source = new URL("../../openapi.json", import.meta.url);
const target = new URL("../src/api/schema.d.ts", import.meta.url);
const check = process.argv.includes("--check");

const written = readFileSync(target, "utf8");
if (!existsSync(source) && check && !written.startsWith("// Generated")) {
  console.log("api-schema: no openapi.json yet, src/api/schema.d.ts is still written by hand");
  process.exit(0);
}
if (!existsSync(source)) {
  console.error(
    "api-schema: ../openapi.json is missing; `cargo test -p goblin-server openapi` writes it",
  );
  process.exit(1);
}
const text = `// Generated from openapi.json by \`npm run api\`. Do not edit.\n\n${astToString(await openapiTypescript(source))}`;
if (!check) {
  writeFileSync(target, text);
  console.log("api-schema: wrote src/api/schema.d.ts");
} else if (written !== text) {
  console.error("api-schema: src/api/schema.d.ts differs from openapi.json; run `npm run api`");
  process.exit(1);
} else {
  console.log("api-schema: src/api/schema.d.ts is in step with openapi.json");
}
