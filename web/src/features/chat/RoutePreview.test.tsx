import { act } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { DryRun } from "@/api/types";
import { render, settled } from "@/testing/render";
import { json, serve } from "@/testing/server";
import { aTrace } from "@/testing/traces";
import { RoutePreview } from "./RoutePreview";

const run: DryRun = {
  model: "goblin",
  route: aTrace().route,
  first: "ollama/gemma:2b",
  local: true,
  may_leave_machine: false,
  expected_cost_usd: 0,
  most_cost_usd: 0,
  first_token_ms: 200,
};

let page: ReturnType<typeof render>;
let asked: string[];
beforeEach(() => {
  asked = serve({ "POST /api/route": () => json(run) });
});
afterEach(() => {
  page.leave();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const preview = (draft: string) => (
  <RoutePreview draft={draft} pictures={false} model={null} otherwise="Check what matters." />
);
const text = () => page.host.textContent;

it("says who would answer, and that nothing leaves", async () => {
  page = render(preview("Why is the sky blue?"));
  await settled();
  expect(text()).toContain("gemma:2b answers, on your own ollama");
  expect(text()).toContain("stays on your machines");
});

it("asks once typing stops, not for every letter, and forgets with the draft", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  page = render(preview(""));
  for (const draft of ["Why", "Why is", "Why is it"]) {
    page.show(preview(draft));
    act(() => void vi.advanceTimersByTime(100));
  }
  expect(asked).toEqual([]);
  act(() => void vi.advanceTimersByTime(1000));
  vi.useRealTimers();
  await settled();
  expect(asked).toEqual(["POST /api/route"]);
  expect(text()).toContain("gemma:2b answers");
  page.show(preview(""));
  expect(text()).toBe("Check what matters.");
});

it("promises nothing when the server cannot say", async () => {
  serve({});
  page = render(preview("Why is the sky blue?"));
  await settled();
  expect(text()).toBe("Check what matters.");
});
