import { describe, expect, it } from "vitest";
import { aModel } from "@/testing/status";
import { modelFacts, priceWords } from "./format";

describe("what a model is", () => {
  it("says what it can do and what it costs", () => {
    const model = aModel({
      id: "openai/gpt-5",
      local: false,
      parameters: null,
      context_window: null,
      capabilities: ["chat", "tools", "vision", "thinking"],
      price: { input_usd: 1.25, output_usd: 10 },
    });
    expect(modelFacts(model)).toEqual([
      "sees images",
      "uses tools",
      "reasons",
      "$1.25 in, $10 out per million tokens",
    ]);
  });

  it("says nothing of what is not known", () => {
    expect(modelFacts(aModel({ parameters: null, context_window: null }))).toEqual([]);
  });

  it("keeps the small change of cheap models", () => {
    expect(priceWords({ input_usd: 0.075, output_usd: 0.3 })).toBe(
      "$0.075 in, $0.3 out per million tokens",
    );
  });
});
