import { describe, expect, it } from "vitest";
import type { DryRun } from "@/api/types";
import { aTrace } from "@/testing/traces";
import { previewOf } from "./preview";

type Candidate = DryRun["route"]["candidates"][number];

const rung = (model: string, at: number | null, more: Partial<Candidate> = {}): Candidate => ({
  model,
  local: true,
  rung: at,
  quality: 0.6,
  cost_usd: 0,
  first_token_ms: null,
  ...more,
});
const dryRun = (candidates: Candidate[], more: Partial<DryRun> = {}): DryRun => ({
  model: "goblin",
  route: { ...aTrace().route, candidates },
  first: "ollama/gemma:2b",
  local: true,
  may_leave_machine: false,
  expected_cost_usd: 0,
  most_cost_usd: 0,
  first_token_ms: null,
  ...more,
});

describe("what sending a question would mean", () => {
  it("says who would answer, when and for how much, and that nothing leaves", () => {
    const candidates = [rung("ollama/mistral:7b", 1), rung("ollama/gemma:2b", 0)];
    expect(previewOf(dryRun(candidates, { first_token_ms: 300 }))).toEqual({
      facts: ["gemma:2b answers, on your own ollama", "no cost"],
      more: [
        "reads as explain",
        "first word in about 300 ms",
        "then mistral:7b if that is not sure enough",
      ],
      privacy: "stays on your machines",
      leaves: false,
    });
  });

  it("says when a better answer would be asked of a cloud, and what that may cost", () => {
    const candidates = [rung("ollama/gemma:2b", 0), rung("openai/large", 1, { local: false })];
    const preview = previewOf(
      dryRun(candidates, { may_leave_machine: true, most_cost_usd: 0.002 }),
    );
    expect(preview).toMatchObject({
      privacy: "may be sent to openai if a better answer is needed",
      leaves: true,
    });
    expect(preview?.more).toContain("$0.0020 at the most");
  });

  it("says when the question leaves at once, and when its cost is not known", () => {
    const preview = previewOf(
      dryRun([rung("openai/large", 0, { local: false })], {
        first: "openai/large",
        local: false,
        expected_cost_usd: null,
        most_cost_usd: null,
      }),
    );
    expect(preview).toMatchObject({ privacy: "leaves your machines", leaves: true });
    expect(preview?.facts).toContain("cost unknown");
  });

  it("promises nothing when nobody can answer", () => {
    expect(previewOf(dryRun([rung("a/b", null)], { first: null, local: null }))).toBeNull();
  });
});
