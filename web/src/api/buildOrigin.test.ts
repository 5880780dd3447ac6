// @vitest-environment node
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

beforeEach(() => vi.stubEnv("NODE_ENV", "production"));
afterEach(() => vi.unstubAllEnvs());

/** The real build, kept in memory: the text of each file, by name. */
async function built(apiUrl: string | undefined): Promise<Map<string, string>> {
  vi.stubEnv("VITE_API_URL", apiUrl);
  const made = await build({ root, logLevel: "error", build: { write: false } });
  const outputs = [made].flat().flatMap((part) => ("output" in part ? part.output : []));
  return new Map(
    outputs.map((file) => [
      file.fileName,
      file.type === "chunk" ? file.code : Buffer.from(file.source).toString(),
    ]),
  );
}

test("VITE_API_URL is what /config.json says at first, and nothing else of the bundle knows it", async () => {
  const files = await built("https://api.example.test");
  expect(JSON.parse(files.get("config.json") ?? "")).toEqual({
    api_origin: "https://api.example.test",
  });
  expect([...files.keys()].filter((name) => name.endsWith(".js")).length).toBeGreaterThan(1);
  const knowing = [...files].filter(([, text]) => text.includes("api.example.test"));
  expect(knowing.map(([name]) => name)).toEqual(["config.json"]);

  const without = await built(undefined);
  expect(JSON.parse(without.get("config.json") ?? "")).toEqual({ api_origin: "" });
  const names = (all: Map<string, string>) => [...all.keys()].sort();
  // Names carry a hash of what is in the file: it is the same bundle, whoever serves it.
  expect(names(without)).toEqual(names(files));
}, 120_000);
