import { afterEach, beforeEach, expect, test, vi } from "vitest";

const page = window.location.origin;

/** A page whose /config.json is answered so, freshly started. */
async function started(config: () => Response) {
  vi.resetModules();
  const asked: { address: string; credentials?: RequestCredentials }[] = [];
  vi.stubGlobal("fetch", async (input: string | Request, init?: RequestInit) => {
    const address = typeof input === "string" ? input : input.url;
    asked.push({ address, credentials: init?.credentials });
    if (address === "/config.json") return config();
    return Response.json({ chats: [], next_cursor: null });
  });
  const origin = await import("./origin");
  await origin.loadOrigin();
  const { listChats } = await import("./client");
  await listChats();
  return { origin, asked: asked.slice(1) };
}

beforeEach(() => vi.restoreAllMocks());
afterEach(() => vi.unstubAllGlobals());

test("the same bundle asks the origin that /config.json names, with its cookies", async () => {
  const { origin, asked } = await started(() =>
    Response.json({ api_origin: "https://api.example.test/" }),
  );
  expect(origin.apiOrigin()).toBe("https://api.example.test");
  expect(origin.apiAddress()).toBe("https://api.example.test");
  expect(asked.map((a) => [a.address, a.credentials])).toEqual([
    ["https://api.example.test/api/chats?limit=50", "include"],
  ]);
});

test.each([
  ["says nothing", () => Response.json({ api_origin: "" })],
  ["is missing", () => new Response("not found", { status: 404 })],
  ["is the page of a host that answers everything", () => new Response("<!doctype html>")],
  ["holds something else", () => Response.json({ api_origin: 7 })],
  ["cannot be reached", () => Promise.reject(new TypeError("Failed to fetch")) as never],
])("a /config.json that %s means the page's own origin", async (_what, config) => {
  const { origin, asked } = await started(config);
  expect(origin.apiOrigin()).toBe("");
  expect(origin.apiAddress()).toBe(page);
  expect(asked.map((a) => [new URL(a.address, page).pathname, a.credentials])).toEqual([
    ["/api/chats", "same-origin"],
  ]);
});
