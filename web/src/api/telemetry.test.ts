import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { reportError, reportEvent, startTelemetry, traceHeaders } from "./telemetry";

let sent: { address: string; body: Record<string, unknown[]> }[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  vi.stubGlobal("fetch", async (address: string, init: RequestInit) => {
    sent.push({ address, body: JSON.parse(String(init.body)) });
    return new Response(null, { status: 204 });
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a page of which nobody wants to hear tells nothing, and begins no trace", () => {
  startTelemetry({ errors: false, events: false, traces: 0 });
  reportEvent("question_asked");
  reportError(new TypeError("x is not a function"));
  vi.runAllTimers();
  expect(sent).toEqual([]);
  expect(traceHeaders()).toEqual({});
});

test("errors and events go to the page's own server together, the same error once", () => {
  startTelemetry({ errors: true, events: true, traces: 1 });
  reportEvent("question_asked");
  const error = new TypeError("x is not a function");
  reportError(error);
  reportError(error);
  vi.runAllTimers();
  expect(sent.map((report) => report.address)).toEqual(["/api/telemetry"]);
  const body = sent[0]?.body;
  expect(body?.events?.map((event) => (event as { name: string }).name)).toEqual([
    "page_opened",
    "question_asked",
  ]);
  expect(body?.errors?.map((told) => (told as { kind: string }).kind)).toEqual(["TypeError"]);
  expect(Object.keys(body ?? {}).sort()).toEqual(["errors", "events", "visit"]);
  expect(traceHeaders().traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

test("what is wanted apart is told apart", () => {
  startTelemetry({ errors: true, events: false, traces: 0 });
  reportEvent("answer_stopped");
  reportError(new RangeError("Invalid array length"));
  vi.runAllTimers();
  expect(sent.map((report) => report.body.events)).toEqual([[]]);
});

test("a report has a bound, and so has a visit", () => {
  startTelemetry({ errors: true, events: false, traces: 0 });
  for (let n = 0; n < 30; n++) reportError(new Error(`error ${n}`));
  vi.runAllTimers();
  expect(sent.map((report) => report.body.errors?.length)).toEqual([5, 5]);
});
