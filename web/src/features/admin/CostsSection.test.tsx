import { afterEach, describe, expect, it, vi } from "vitest";
import type { CostReport } from "@/api/types";
import { bars, forecastWords, money, monthsBack } from "@/lib/costs";
import { render, settled } from "@/testing/render";
import { json, serve } from "@/testing/server";
import { aCostItem, aCostReport } from "@/testing/usage";
import CostsSection from "./CostsSection";

afterEach(() => vi.unstubAllGlobals());

async function show(report: CostReport) {
  serve({ "GET /api/costs": () => json(report) });
  const page = render(<CostsSection />);
  await settled();
  return page;
}

const ready = {
  state: "ready",
  providers_usd: 12,
  low_usd: 10,
  high_usd: 15,
  total_usd: 39,
  days_seen: 20,
  days_needed: 3,
  method: "The mean of finished days.",
} as const;

describe("costs", () => {
  it("never calls what is unknown nothing", async () => {
    const page = await show(
      aCostReport({
        fixed: [
          { name: "backend", monthly_usd: 7, note: "Render, starter", assumed: true },
          { name: "models", monthly_usd: null, note: "not known", assumed: false },
        ],
        fixed_usd: 7,
        fixed_unknown: 1,
        providers: aCostItem({ requests: 4, cost_usd: 2, unknown_cost: 1 }),
        total_usd: 9,
        at_least: true,
        months: [aCostItem({ id: "2026-11", requests: 4, cost_usd: 2, fixed_usd: 7 })],
      }),
    );
    const total = page.host.querySelector("[data-testid=costs-total]")?.textContent;
    expect(total).toContain("at least $9.00 so far");
    expect(total).toContain("hosts at least $7.00");
    expect(total).toContain("providers at least $2.00 for 4 requests");
    const hosts = page.host.querySelector("ul[aria-label=Hosts]")?.textContent;
    expect(hosts).toContain("models: unknown");
    const months = page.host.querySelector("section[aria-label='By month'] tbody")?.textContent;
    expect(months).toContain("at least $7.00");
    expect(page.host.querySelector("[data-testid=costs-forecast]")?.textContent).toContain(
      "Not said yet: 1 of the 3 finished days",
    );
    page.leave();
  });

  it("shows where the month is going, what costs, and what could cost less", async () => {
    const page = await show(
      aCostReport({
        total_usd: 30,
        forecast: ready,
        days: [aCostItem({ id: "2026-11-01", requests: 2, cost_usd: 1, fixed_usd: 0.9 })],
        months: [
          aCostItem({ id: "2026-10", cost_usd: 8, fixed_usd: 27 }),
          aCostItem({ id: "2026-11", cost_usd: 9, fixed_usd: 21 }),
        ],
        models: [aCostItem({ id: "openai/gpt-5", requests: 2, cost_usd: 9 })],
        users: [aCostItem({ id: "u-1", name: "Ada", requests: 2, cost_usd: 9 })],
        findings: [
          {
            kind: "redis_for_one",
            found: "Redis is configured but one copy runs.",
            evidence: [{ name: "copies", value: 1, unit: "copies" }],
            fix: "Leave out `REDIS_URL`.",
            saves_usd: 10,
          },
        ],
      }),
    );
    const text = page.host.textContent ?? "";
    expect(text).toContain("About $39.00 at the end of the month; for providers $10.00 to $15.00");
    expect(page.host.querySelectorAll("svg[role=img]")).toHaveLength(2);
    expect(page.host.querySelectorAll(".cost-foreseen")).toHaveLength(1);
    expect(text).toContain("gpt-5 (openai)");
    expect(text).toContain("Ada");
    const found = page.host.querySelector("ul[aria-label=Findings]")?.textContent;
    expect(found).toContain("Redis is configured but one copy runs.");
    expect(found).toContain("Saves $10.00 a month at most.");
    expect(found).toContain("copies: 1");
    page.leave();
  });

  it("says why there is nothing to show", async () => {
    serve({});
    const page = render(<CostsSection />);
    await settled();
    expect(page.host.querySelector("[role=alert]")).not.toBeNull();
    page.leave();
  });
});

describe("a month's costs", () => {
  it("are told in the operator's currency", () => {
    expect(money(2, { currency: "EUR", currency_per_usd: 0.5 })).toBe("1.00 EUR");
    expect(money(0.004, { currency: "USD", currency_per_usd: 1 })).toBe("$0.004");
  });

  it("have their forecast upon the month that is shown, and no other", () => {
    const items = [aCostItem({ id: "2026-10" }), aCostItem({ id: "2026-11" })];
    const report = aCostReport({ total_usd: 30, forecast: ready });
    expect(bars(items, report).map((bar) => bar.foreseen)).toEqual([0, 9]);
  });

  it("are not foretold more surely than they are known, and hosts nobody knows are not free", () => {
    const unknown = { name: "models", monthly_usd: null, note: "not known", assumed: false };
    const report = aCostReport({
      fixed: [unknown],
      fixed_unknown: 1,
      at_least: true,
      total_usd: 30,
      forecast: ready,
    });
    expect(forecastWords(report)).toContain("About at least $39.00 at the end");
    const [bar] = bars([aCostItem({ id: "2026-11" })], report);
    expect(bar?.words).toContain("hosts unknown");
    expect(bar?.words).toContain("about at least $39.00 at its end");
  });

  it("go back over the turn of the year", () => {
    expect(monthsBack(Date.parse("2026-02-28T12:00:00Z"), 4)).toEqual([
      "2026-02",
      "2026-01",
      "2025-12",
      "2025-11",
    ]);
  });
});
