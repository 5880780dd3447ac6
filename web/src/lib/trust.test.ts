import { describe, expect, it } from "vitest";
import { aStep, aSummary, aTrace, aVerdict } from "@/testing/traces";
import { aTurn } from "@/testing/turns";
import {
  aboutWords,
  money,
  noVerdict,
  ruleWords,
  spanOf,
  story,
  sureness,
  thresholdOf,
  totalMs,
  trustFacts,
} from "./trust";

describe("the line under an answer", () => {
  it("says who, where, how long and what it cost", () => {
    const turn = aTurn({ local: true, timing: { first_token_ms: 84, total_ms: 1840 } });
    expect(trustFacts(turn, aSummary())).toEqual([
      "gemma:2b",
      "on your own ollama",
      "1.8 s",
      "no cost",
    ]);
  });

  it("says that a question left the machines, and that a cost is not known", () => {
    const turn = aTurn({ local: false });
    const summary = aSummary({ model: "openai/large", cost_usd: null, left_machine: true });
    expect(trustFacts(turn, summary)).toEqual(["large", "sent to openai", "cost unknown"]);
  });

  it.each([
    [aSummary(), "81% sure, not calibrated", false],
    [
      aSummary({
        checked: false,
        confidence: {
          value: 0.4,
          calibrated: true,
          method: "judge",
          authority: "none",
          self_judged: true,
        },
      }),
      "40% sure, judged itself, not checked by a capable model",
      false,
    ],
    [aSummary({ confidence: null }), "nobody judged it", false],
    [aSummary({ confidence: null, checked: false }), "not checked by a capable model", false],
    [aSummary({ verify: "off", confidence: null, checked: false }), "not checked", false],
    [aSummary({ outcome: "low_confidence" }), "81% sure, not calibrated", true],
    [
      aSummary({ refused_by: "safety:harm", outcome: "rejected" }),
      "refused: it could do harm",
      true,
    ],
  ])("says how sure it is without claiming more: %#", (summary, words, doubt) => {
    expect(sureness(summary)).toEqual({ words, doubt });
  });
});

describe("small words of trust", () => {
  it("does not round small sums to nothing", () => {
    expect([0, null, 0.000012, 0.5].map(money)).toEqual([
      "no cost",
      "cost unknown",
      "$0.000012",
      "$0.50",
    ]);
  });
  it("names rules as people do, and an operator's own as they are", () => {
    expect(ruleWords("safety:self_harm")).toBe("self-harm");
    expect(ruleWords("house_rules")).toBe("house rules");
    expect(ruleWords("")).toBe("a rule that was not named");
  });
  it("says what a verdict is about and why there is none", () => {
    expect(aboutWords({ part: "prompt" })).toBe("the question");
    expect(aboutWords({ part: "window", window: 0 })).toBe("part 1");
    expect(noVerdict(aVerdict({ probability: null, mass: 0.31 }))).toContain("31%");
    expect(noVerdict(aVerdict({ probability: null, failed: "it timed out" }))).toBe("it timed out");
  });
  it("compares safety and confidence with figures of their own", () => {
    const trace = aTrace();
    expect(thresholdOf(trace, aVerdict({ concern: "safety" }))).toBe(0.7);
    expect(thresholdOf(trace, aVerdict())).toBe(0.65);
  });
});

describe("the time axis", () => {
  it("lies within the whole, in order, whatever the numbers are", () => {
    for (const step of [
      aStep(),
      aStep({ first_token_ms: null }),
      aStep({ ended_ms: null }),
      aStep({ started_ms: 900, first_token_ms: 100, ended_ms: 50 }),
      aStep({ started_ms: 9000, ended_ms: 99_000 }),
    ]) {
      const { start, first, end } = spanOf(step, 1200);
      expect(0 <= start && start <= first && first <= end && end <= 1).toBe(true);
    }
    expect(spanOf(aStep(), 1200)).toEqual({ start: 0, first: 200 / 1200, end: 1 });
  });
  it("is as long as what is known", () => {
    expect(totalMs(aTrace())).toBe(1200);
    expect(totalMs(aTrace({ steps: [] }))).toBe(1);
  });
});

describe("story", () => {
  it.each([
    [aTrace(), "The answer of gemma:2b was accepted."],
    [
      aTrace({
        steps: [
          aStep({ outcome: "escalated" }),
          aStep({ model: "ollama/mistral:7b", outcome: "low_confidence" }),
        ],
      }),
      "gemma:2b answered first. The answer of mistral:7b was delivered though it is not sure, because no better model was left to ask.",
    ],
    [
      aTrace({
        steps: [
          aStep({ outcome: "low_confidence" }),
          aStep({ model: "ollama/mistral:7b", outcome: "failed" }),
        ],
      }),
      "gemma:2b answered first. The answer of gemma:2b was delivered though it is not sure, because no better model was left to ask.",
    ],
    [aTrace({ steps: [] }), "Nobody was asked."],
    [
      aTrace({
        safety: {
          probability: 0.1,
          category: "harm",
          authority: "grant",
          found: [],
          refused_by: "safety:harm",
        },
      }),
      "It was refused: it could do harm.",
    ],
  ])("tells it in one sentence: %#", (trace, sentence) => {
    expect(story(trace)).toBe(sentence);
  });
});
