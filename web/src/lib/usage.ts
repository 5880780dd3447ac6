import type { Budget, UsageBy, UsageItem } from "@/api/types";
import { modelName, providerName } from "./format";

// What was used, in words and bars. What is not known is called unknown, what was estimated is said to be.

/** US dollars; small sums are not rounded to nothing. */
export function dollars(usd: number): string {
  if (usd === 0) return "$0";
  if (usd < 0.01) return `$${Number(usd.toPrecision(2))}`;
  return `$${usd.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

export const count = (n: number): string => n.toLocaleString("en");

const several = (n: number, one: string, more: string) => `${count(n)} ${n === 1 ? one : more}`;

/** What requests cost; a sum that lacks some says of how many nothing is known. */
export function costWords(item: UsageItem): string {
  if (item.unknown_cost === 0) return dollars(item.cost_usd);
  if (item.unknown_cost === item.requests) return "unknown";
  return `${dollars(item.cost_usd)} + ${several(item.unknown_cost, "unknown", "unknown")}`;
}

/** What has to be known beside the numbers. */
export function usageNotes(total: UsageItem, baseline: string | null | undefined): string[] {
  const notes: string[] = [];
  if (total.unknown_cost > 0) {
    notes.push(
      `The cost of ${several(total.unknown_cost, "request", "requests")} is unknown: a model without a price was asked.`,
    );
  }
  if (total.estimated > 0) {
    notes.push(
      `${several(total.estimated, "request has", "requests have")} a part that is estimated: an answer that was cut, or a server that does not count.`,
    );
  }
  if (baseline && total.local > 0) {
    const answers = several(total.local, "local answer", "local answers");
    notes.push(
      total.would_have_cost_usd > 0
        ? `${answers} would have cost ${dollars(total.would_have_cost_usd)} at ${baseline}.`
        : `What ${answers} would have cost is unknown: ${baseline} has no price.`,
    );
  }
  return notes;
}

/** What a group is called. */
export function groupName(by: UsageBy, item: UsageItem): string {
  if (by === "model") {
    return item.id === ""
      ? "No model answered"
      : `${modelName(item.id)} (${providerName(item.id)})`;
  }
  if (by === "key" && item.id === "") return "Without a key";
  return item.name ?? item.id;
}

export type Measure = "cost" | "tokens" | "requests";

export function measured(item: UsageItem, measure: Measure): number {
  if (measure === "cost") return item.cost_usd;
  if (measure === "requests") return item.requests;
  return item.prompt_tokens + item.completion_tokens;
}

export function measuredWords(item: UsageItem, measure: Measure): string {
  if (measure === "cost") return costWords(item);
  if (measure === "requests") return several(item.requests, "request", "requests");
  return several(measured(item, "tokens"), "token", "tokens");
}

const dayMs = 86_400_000;
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** The first of `days` days that end with the one of `now` (UTC). */
export const firstDay = (days: number, now: number): string => dayOf(now - (days - 1) * dayMs);

export const nothing: UsageItem = {
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
};

/** Every day from the first to the last, also those on which nothing was asked. */
export function everyDay(items: UsageItem[], from: string, to: string): UsageItem[] {
  const found = new Map(items.map((item) => [item.id, item]));
  const days: UsageItem[] = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += dayMs) {
    const id = dayOf(at);
    days.push(found.get(id) ?? { ...nothing, id });
  }
  return days;
}

/** Heights from 0 to 1, the largest being 1. */
export function heights(values: number[]): number[] {
  const most = Math.max(...values, 0);
  return values.map((value) => (most > 0 ? value / most : 0));
}

const whose: Record<Budget["kind"], string> = {
  everybody: "Everybody together",
  user: "User",
  team: "Team",
  key: "API key",
  model: "Model",
};

/** Whose spending a budget bounds. */
export function budgetName(budget: Pick<Budget, "kind" | "subject">): string {
  if (budget.kind === "everybody") return whose.everybody;
  if (budget.subject === "*")
    return `Each ${whose[budget.kind].replace("User", "user").replace("Team", "team")}`;
  return `${whose[budget.kind]} ${budget.subject}`;
}

export function budgetWords(budget: Budget): string[] {
  const words = [`${dollars(budget.usd)} a ${budget.period}`];
  if (budget.spent_usd != null) words.push(`${dollars(budget.spent_usd)} spent`);
  if (budget.reserved_usd) words.push(`${dollars(budget.reserved_usd)} reserved`);
  words.push(budget.on_reached === "local" ? "then local models answer" : "then refused");
  if (budget.id === null) words.push("set in the configuration");
  return words;
}
