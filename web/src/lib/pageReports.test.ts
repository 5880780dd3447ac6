import { expect, test } from "vitest";
import { nothingWanted, pageError, pageName, randomId, traceparent, wantedIn } from "./pageReports";
import { UnreachableError } from "./problems";

const random = (bytes: Uint8Array) => bytes.fill(0xab);

test("what /config.json does not say is not wanted", () => {
  for (const config of [null, "x", {}, { telemetry: null }, { telemetry: { errors: "yes" } }]) {
    expect(wantedIn(config)).toEqual(nothingWanted);
  }
  expect(wantedIn({ telemetry: { errors: true, events: false, traces: 7 } })).toEqual({
    errors: true,
    events: false,
    traces: 1,
  });
});

test("a place in the page names nothing that is there", () => {
  const places = ["/", "/c/0198c4f2", "/account/keys", "/admin", "/setup", "/what/ever"];
  expect(places.map(pageName)).toEqual([
    "new_chat",
    "chat",
    "account",
    "admin",
    "entrance",
    "other",
  ]);
});

test("only what is the page's own fault is an error of it, cut to what the server takes", () => {
  expect(pageError(new UnreachableError("x"), "/")).toBeNull();
  expect(pageError(new DOMException("gone", "AbortError"), "/")).toBeNull();
  const told = pageError(new TypeError("x".repeat(2000)), "/c/1");
  expect(told?.kind).toBe("TypeError");
  expect(told?.message.length).toBe(1000);
  expect(told?.page).toBe("chat");
  expect(pageError("my secret", "/")?.message).toBe("not an error");
});

test("ids have the form the server takes", () => {
  expect(randomId(random)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
  expect(traceparent(0.5, random, 0.4)).toBe(`00-${"ab".repeat(16)}-${"ab".repeat(8)}-01`);
  expect(traceparent(0.5, random, 0.6)).toMatch(/-00$/);
});
