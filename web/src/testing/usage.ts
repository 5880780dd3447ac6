import type { Budget, UsageItem, UsageReport } from "@/api/types";
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
