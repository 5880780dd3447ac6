import type { CostItem, CostReport, Finding } from "@/api/types";
import { count, dollars } from "./usage";

// What a month costs, in words and bars. All sums are US dollars of the server; `money` says them in the operator's currency.

type Currency = Pick<CostReport, "currency" | "currency_per_usd">;

/** A sum as people here read it. */
export function money(usd: number, { currency, currency_per_usd }: Currency): string {
  if (currency === "USD") return dollars(usd);
  return `${dollars(usd * currency_per_usd).replace("$", "")} ${currency}`;
}

const atLeast = (words: string, least: boolean) => (least ? `at least ${words}` : words);

/** What models of clouds cost; where some have no price, the sum is a least one. */
export function providersWords(item: CostItem, currency: Currency): string {
  const { requests, unknown_cost: unknown } = item;
  if (unknown > 0 && unknown === requests) return "unknown";
  return atLeast(money(item.cost_usd, currency), unknown > 0);
}

/** What hosts cost, the whole month or a part of it (`usd`); what is not known is never zero. */
export function hostsWords(usd: number, report: CostReport): string {
  const { fixed, fixed_unknown: unknown } = report;
  if (fixed.length > 0 && unknown === fixed.length) return "unknown";
  return atLeast(money(usd, report), unknown > 0);
}

export const totalWords = (report: CostReport): string =>
  atLeast(money(report.total_usd, report), report.at_least);

/** Where the month is going, or why that is not said. */
export function forecastWords(report: CostReport): string {
  const { forecast } = report;
  if (forecast.state === "over") return "The month is over.";
  if (forecast.state === "too_few_days" || forecast.total_usd == null) {
    return `Not said yet: ${forecast.days_seen} of the ${forecast.days_needed} finished days that it takes.`;
  }
  const total = atLeast(money(forecast.total_usd, report), report.at_least);
  const whole = `About ${total} at the end of the month`;
  const { low_usd: low, high_usd: high } = forecast;
  if (low == null || high == null) return `${whole}.`;
  return `${whole}; for providers ${money(low, report)} to ${money(high, report)} in eight of ten such months.`;
}

export interface CostBar {
  id: string;
  words: string;
  /** Hosts, then providers: US dollars, one upon the other. */
  parts: [number, number];
  /** What is foreseen above that. */
  foreseen: number;
  /** Does it lack what is unknown? */
  part: boolean;
}

/** A bar for each day or month; the month that is shown has its forecast upon it. */
export function bars(items: CostItem[], report: CostReport): CostBar[] {
  const { forecast, month, total_usd: total } = report;
  return items.map((item) => {
    const more = item.id === month && forecast.state === "ready" ? (forecast.total_usd ?? 0) : 0;
    const foreseen = Math.max(more - total, 0);
    const words = `${item.id}: hosts ${hostsWords(item.fixed_usd, report)}, providers ${providersWords(item, report)}`;
    return {
      id: item.id,
      words:
        foreseen > 0
          ? `${words}, about ${atLeast(money(more, report), report.at_least)} at its end`
          : words,
      parts: [item.fixed_usd, item.cost_usd],
      foreseen,
      part: item.unknown_cost > 0,
    };
  });
}

/** A number that shows a finding. */
export function evidenceWords(
  { name, value, unit }: Finding["evidence"][number],
  currency: Currency,
): string {
  if (unit === "usd") return `${name}: ${money(value, currency)}`;
  if (unit === "percent") return `${name}: ${value.toFixed(0)} %`;
  const named = name.toLowerCase() === unit;
  return named ? `${name}: ${count(value)}` : `${name}: ${count(value)} ${unit}`;
}

/** The newest `many` months, this one first: `2026-11`. */
export function monthsBack(now: number, many: number): string[] {
  const date = new Date(now);
  return Array.from({ length: many }, (_, back) =>
    new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - back, 1))
      .toISOString()
      .slice(0, 7),
  );
}
