import { afterEach, expect, it, vi } from "vitest";
import type { Trace } from "@/api/types";
import { render, settled } from "@/testing/render";
import { json, serve } from "@/testing/server";
import { aStep, aTrace, aVerdict } from "@/testing/traces";
import { aTurn } from "@/testing/turns";
import TraceDialog from "./TraceDialog";

let page: ReturnType<typeof render>;
afterEach(() => {
  page.leave();
  vi.unstubAllGlobals();
});

async function show(trace: Trace) {
  serve({ "GET /api/turns/t1/trace": () => json(trace) });
  page = render(<TraceDialog turn={aTurn()} onClose={() => {}} />);
  await settled();
  return page.host.textContent ?? "";
}

it("shows the ladder, the verdicts with their thresholds and rights, the cost and what left", async () => {
  const text = await show(
    aTrace({
      prompt_verdicts: [
        aVerdict({
          concern: "safety",
          about: { part: "prompt" },
          choice: "safe",
          probability: 0.99,
        }),
      ],
      sent: [{ to: "openai", bytes: 1234 }],
      left_machine: true,
    }),
  );
  for (const part of [
    "The answer of gemma:2b was accepted.",
    "not calibrated",
    "role quick",
    "Passed over: 1",
    "Safe, the question",
    "99% above 70%",
    "Correct and complete, the answer",
    "81% above 65%",
    "granted, not measured",
    "1.2 KB of text to openai",
  ]) {
    expect(text).toContain(part);
  }
  expect(text).not.toContain("Not checked by a capable model");
  const mark = page.host.querySelectorAll<HTMLElement>(".verdict-mark");
  expect([...mark].map((one) => one.style.left)).toEqual(["70.0%", "65.0%"]);
});

it("says when no capable model looked at it, and why there is no verdict", async () => {
  const verdict = aVerdict({ authority: "none", probability: null, mass: 0.31 });
  const text = await show(aTrace({ steps: [aStep({ verdicts: [verdict] })], confidence: null }));
  expect(text).toContain("Not checked by a capable model.");
  expect(text).toContain("the judge put only 31% on the answers it was offered");
  expect(text).toContain("Nothing.");
});

it("says why the trace cannot be shown", async () => {
  serve({});
  page = render(<TraceDialog turn={aTurn()} onClose={() => {}} />);
  await settled();
  expect(page.host.textContent).toContain("Nothing answered at");
});
