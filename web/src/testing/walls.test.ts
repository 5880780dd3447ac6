import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { describe, expect, it } from "vitest";

// The walls of the house: `lib`, `ui`, `api` → `features` → `app`; no feature imports another.

const source = join(import.meta.dirname, "..");
const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.(ts|tsx|css)$/.test(name))
  .map((name) => name.split(sep).join("/"));
const code = files.filter((name) => /\.tsx?$/.test(name) && name !== "api/schema.d.ts");

function importsOf(file: string): string[] {
  const text = readFileSync(join(source, file), "utf8");
  const found = [...text.matchAll(/(?:from\s+|import\s*\(?\s*)"([^"]+)"/g)].map(
    (match) => match[1] ?? "",
  );
  return found.flatMap((path) => {
    if (path.startsWith("@/")) return [path.slice(2)];
    if (path.startsWith("."))
      return [
        relative(source, join(source, dirname(file), path))
          .split(sep)
          .join("/"),
      ];
    return [];
  });
}

const floors: Record<string, number> = { lib: 0, ui: 0, api: 0, features: 1, app: 2 };
const room = (path: string) => path.split("/")[0] ?? "";
const feature = (path: string) => path.split("/")[1] ?? "";

function breach(file: string, imported: string): string | null {
  const from = room(file);
  const to = room(imported);
  if (from === "testing" || /\.test\.tsx?$/.test(file)) return null;
  if (to === "testing") return `${file} is no test but imports ${imported}`;
  const [here, there] = [floors[from], floors[to]];
  if (here === undefined || there === undefined) return `${file}: ${imported} is in no known room`;
  if (there > here) return `${file} imports ${imported} from above`;
  if (from === "features" && to === "features" && feature(file) !== feature(imported)) {
    return `${file} imports ${imported} of another feature`;
  }
  return null;
}

describe("the walls", () => {
  it("finds the code", () => {
    expect(code.length).toBeGreaterThan(40);
    expect(code.flatMap(importsOf).length).toBeGreaterThan(100);
  });

  it("would notice a breach", () => {
    expect(breach("lib/sse.ts", "features/chat/ChatPage")).not.toBeNull();
    expect(breach("features/chats/ChatList.tsx", "features/chat/ChatPage")).not.toBeNull();
    expect(breach("features/chat/ChatPage.tsx", "app/Shell")).not.toBeNull();
    expect(breach("ui/Button.tsx", "testing/turns")).not.toBeNull();
    expect(breach("app/Shell.tsx", "features/chats/ChatList")).toBeNull();
  });

  it("stand", () => {
    const breaches = code.flatMap((file) =>
      importsOf(file).map((imported) => breach(file, imported)),
    );
    expect(breaches.filter((found) => found !== null)).toEqual([]);
  });

  it("lib knows the words of the wire but never calls it", () => {
    const calls = code
      .filter((file) => room(file) === "lib" && !/\.test\.tsx?$/.test(file))
      .flatMap((file) =>
        importsOf(file).filter((path) => room(path) === "api" && path !== "api/types"),
      );
    expect(calls).toEqual([]);
  });

  it("no file is too long to read or named after nothing", () => {
    for (const file of files.filter((name) => name !== "api/schema.d.ts")) {
      expect(readFileSync(join(source, file), "utf8").split("\n").length, file).toBeLessThanOrEqual(
        700,
      );
      expect(file).not.toMatch(/(^|\/)(utils?|common|helpers?|misc|manager|service)(\/|\.|$)/i);
    }
  });

  it("nothing turns text into HTML", () => {
    const pattern =
      /innerHTML|outerHTML\s*=|dangerouslySet|insertAdjacentHTML|document\.write|\beval\(/;
    const hits = code.filter(
      (file) => !file.includes(".test.") && pattern.test(readFileSync(join(source, file), "utf8")),
    );
    expect(hits).toEqual([]);
  });
});
