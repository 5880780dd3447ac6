import { afterEach, expect, test, vi } from "vitest";
import { startTelemetry } from "@/api/telemetry";
import { render } from "@/testing/render";
import { Guarded } from "./Broken";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function Breaks(): never {
  throw new TypeError("Cannot read properties of undefined (reading 'x')");
}

test("what breaks is said, with a way on, and told of", () => {
  vi.useFakeTimers();
  vi.spyOn(console, "error").mockImplementation(() => {});
  const told: string[] = [];
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    told.push(String(init.body));
    return new Response(null, { status: 204 });
  });
  startTelemetry({ errors: true, events: false, traces: 0 });
  const { host, leave } = render(
    <Guarded>
      <Breaks />
    </Guarded>,
  );
  expect(host.querySelector("h1")?.textContent).toBe("This page broke");
  expect(host.querySelector("button")?.textContent).toContain("Load the page anew");
  vi.runAllTimers();
  expect(told.length).toBe(1);
  expect(JSON.parse(told[0] ?? "").errors[0].kind).toBe("TypeError");
  leave();
});
