import type { Budget, CostItem, CostReport, UsageItem, UsageReport } from "@/api/types";
import { nothing } from "@/lib/usage";

export function aUsageItem(given: Partial<UsageItem> = {}): UsageItem {
  return {
    ...nothing,
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

export function aCostItem(given: Partial<CostItem> = {}): CostItem {
  return {
    id: "",
    name: null,
    requests: 0,
    cost_usd: 0,
    unknown_cost: 0,
    estimated: 0,
    local: 0,
    would_have_cost_usd: 0,
    fixed_usd: 0,
    ...given,
  };
}

export function aCostReport(given: Partial<CostReport> = {}): CostReport {
  return {
    month: "2026-11",
    at: "2026-11-28T10:00:00Z",
    currency: "USD",
    currency_per_usd: 1,
    baseline: null,
    fixed: [],
    fixed_usd: 0,
    fixed_unknown: 0,
    providers: aCostItem(),
    total_usd: 0,
    at_least: false,
    forecast: {
      state: "too_few_days",
      days_seen: 1,
      days_needed: 3,
      method: "The mean of finished days.",
    },
    days: [],
    months: [],
    models: [],
    users: [],
    findings: [],
    ...given,
  };
}
