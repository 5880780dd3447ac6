import type { Budget, UsageItem, UsageReport } from "@/api/types";

export function aUsageItem(given: Partial<UsageItem> = {}): UsageItem {
  return {
    id: "",
    name: null,
    requests: 0,
    prompt_tokens: 0,
    completion_tokens: 0,
    cached_tokens: 0,
    reasoning_tokens: 0,
    cost_usd: 0,
    unknown_cost: 0,
    estimated: 0,
    local: 0,
    would_have_cost_usd: 0,
    ...given,
  };
}

export function aUsageReport(given: Partial<UsageReport> = {}): UsageReport {
  return {
    from: "2026-11-21",
    to: "2026-11-27",
    by: "day",
    everybody: false,
    baseline: "openai/gpt-5-mini",
    items: [],
    total: aUsageItem(),
    ...given,
  };
}

export function aBudget(given: Partial<Budget> = {}): Budget {
  return {
    id: "0197-b",
    kind: "everybody",
    subject: "",
    usd: 5,
    period: "month",
    on_reached: "refuse",
    spent_usd: 1.25,
    reserved_usd: 0,
    begins_anew: "2026-12-01T00:00:00Z",
    updated_by: "ada",
    updated_at: "2026-11-01T10:00:00Z",
    ...given,
  };
}
