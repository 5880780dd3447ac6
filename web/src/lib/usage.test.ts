import { describe, expect, it } from "vitest";
import { aBudget, aUsageItem } from "@/testing/usage";
import {
  budgetName,
  budgetWords,
  costWords,
  dollars,
  everyDay,
  firstDay,
  groupName,
  heights,
  measuredWords,
  usageNotes,
} from "./usage";

describe("usage in words", () => {
  it("does not round small sums to nothing", () => {
    expect([0, 0.0000123, 0.5, 1234.5].map(dollars)).toEqual([
      "$0",
      "$0.000012",
      "$0.50",
      "$1,234.50",
    ]);
  });

  it("calls unknown what is unknown, and never zero", () => {
    expect(costWords(aUsageItem({ requests: 2, cost_usd: 1 }))).toBe("$1.00");
    expect(costWords(aUsageItem({ requests: 2, cost_usd: 1, unknown_cost: 1 }))).toBe(
      "$1.00 + 1 unknown",
    );
    expect(costWords(aUsageItem({ requests: 2, unknown_cost: 2 }))).toBe("unknown");
  });

  it("says what was estimated and what local answers would have cost", () => {
    const total = aUsageItem({
      requests: 9,
      unknown_cost: 1,
      estimated: 2,
      local: 3,
      would_have_cost_usd: 0.25,
    });
    const notes = usageNotes(total, "openai/gpt-5-mini").join(" ");
    expect(notes).toContain("The cost of 1 request is unknown");
    expect(notes).toContain("2 requests have a part that is estimated");
    expect(notes).toContain("3 local answers would have cost $0.25 at openai/gpt-5-mini");
    expect(usageNotes(aUsageItem({ local: 1 }), "x/y")[0]).toContain("x/y has no price");
    expect(usageNotes(aUsageItem({ local: 1 }), null)).toEqual([]);
  });

  it("names groups", () => {
    expect(groupName("model", aUsageItem({ id: "openai/gpt-5" }))).toBe("gpt-5 (openai)");
    expect(groupName("model", aUsageItem())).toBe("No model answered");
    expect(groupName("key", aUsageItem())).toBe("Without a key");
    expect(groupName("user", aUsageItem({ id: "u-1", name: "Ada" }))).toBe("Ada");
    expect(groupName("user", aUsageItem({ id: "u-1" }))).toBe("u-1");
  });

  it("has a bar for every day, the highest of height 1", () => {
    const days = everyDay(
      [aUsageItem({ id: "2026-11-02", requests: 4 })],
      "2026-10-31",
      "2026-11-02",
    );
    expect(days.map(({ id, requests }) => [id, requests])).toEqual([
      ["2026-10-31", 0],
      ["2026-11-01", 0],
      ["2026-11-02", 4],
    ]);
    expect(heights([0, 2, 4])).toEqual([0, 0.5, 1]);
    expect(heights([0, 0])).toEqual([0, 0]);
    expect(firstDay(30, Date.parse("2026-11-30T23:59:59Z"))).toBe("2026-11-01");
    expect(measuredWords(aUsageItem({ prompt_tokens: 1 }), "tokens")).toBe("1 token");
  });

  it("says whose a budget is and what happens then", () => {
    expect(budgetName({ kind: "user", subject: "*" })).toBe("Each user");
    expect(budgetName({ kind: "key", subject: "*" })).toBe("Each API key");
    expect(budgetName({ kind: "model", subject: "openai/*" })).toBe("Model openai/*");
    expect(budgetWords(aBudget({ reserved_usd: 0.5, on_reached: "local", id: null }))).toEqual([
      "$5.00 a month",
      "$1.25 spent",
      "$0.50 reserved",
      "then local models answer",
      "set in the configuration",
    ]);
  });
});
