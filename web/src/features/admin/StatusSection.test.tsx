import { afterEach, describe, expect, it, vi } from "vitest";
import type { CheckList, Outcomes } from "@/api/types";
import { keptMoments, type Moment, momentOf, perMinute, withMoment } from "@/lib/statusHistory";
import { render, settled } from "@/testing/render";
import { json, serve } from "@/testing/server";
import { aModel, anUpstream, aStatus } from "@/testing/status";
import StatusSection from "./StatusSection";

afterEach(() => vi.unstubAllGlobals());

const nothing: Outcomes = {
  requests: 0,
  refused: 0,
  failed: 0,
  answers: 0,
  answers_failed: 0,
  attempts_failed: 0,
};

const checks: CheckList = {
  draining: false,
  items: [
    { name: "database", state: "ok", found: "It answers.", latency_ms: 1 },
    {
      name: "disk",
      state: "degraded",
      found: "2 % are free.",
      cause: "Models fill it.",
      fix: "Run `goblin models remove NAME`.",
      latency_ms: 1,
    },
  ],
};

describe("the status of everything", () => {
  it("shows what is wrong first, with its cause and what to do", async () => {
    const asked = serve({
      "GET /api/admin/health": () => json(checks),
      "GET /api/status": () =>
        json(
          aStatus({
            upstreams: [anUpstream({ state: "down", detail: "It does not answer." })],
            models: [aModel({ queued: 3, predicted_wait_ms: 4000 })],
            outcomes: { ...nothing, requests: 1200, failed: 7, attempts_failed: 9 },
          }),
        ),
    });
    const page = render(<StatusSection />);
    await settled();
    expect(asked).toContain("GET /api/admin/health");
    const lines = [...page.host.querySelectorAll("ul[aria-label=Checks] li")];
    expect(lines.map((line) => line.querySelector("strong")?.textContent)).toEqual([
      "disk",
      "database",
    ]);
    expect(lines[0]?.textContent).toContain("Models fill it.");
    expect(lines[0]?.textContent).toContain("goblin models remove NAME");
    const servers = page.host.querySelector("ul[aria-label='Tiers and model servers']");
    expect(servers?.textContent).toContain("Model tier: down");
    expect(page.host.querySelector("ul[aria-label=Models]")?.textContent).toContain("3 waiting");
    expect(page.host.textContent).toContain("1,200 requests, 0 refused and 7 failed here");
    expect(page.host.textContent).toContain("Model servers failed 9 times");
    const lately = [...page.host.querySelectorAll(".status-lines svg")];
    expect(lately[0]?.getAttribute("aria-label")).toMatch(/^Not well: 2 now/);
    expect(lately[0]?.querySelector("polyline")?.getAttribute("points")).toContain(" ");
    page.leave();
  });

  it("says when the servers cannot be asked about", async () => {
    serve({ "GET /api/admin/health": () => json(checks) });
    const page = render(<StatusSection />);
    await settled();
    expect(page.host.querySelectorAll("[role=alert]")).toHaveLength(1);
    expect(page.host.querySelectorAll("ul[aria-label=Checks] li")).toHaveLength(2);
    page.leave();
  });

  it("says when it cannot look", async () => {
    serve({ "GET /api/status": () => json(aStatus()) });
    const page = render(<StatusSection />);
    await settled();
    expect(page.host.querySelector("[role=alert]")).not.toBeNull();
    page.leave();
  });
});

describe("what was seen lately", () => {
  it("has a rate between two looks, also when the server began anew", () => {
    const look = (at: number, requests: number, failed: number): Moment => ({
      ...momentOf(at, [], undefined),
      outcomes: { ...nothing, requests, failed },
    });
    const moments = [look(0, 100, 4), look(5000, 110, 5), look(10_000, 3, 1)];
    expect(perMinute(moments, "requests")).toEqual([0, 120, 36]);
    expect(perMinute(moments, "failed")).toEqual([0, 12, 12]);
    // What is heard between two looks belongs to the second of them.
    const heard = [look(0, 100, 4), look(0, 109, 4), look(5000, 110, 4)].reduce<Moment[]>(
      withMoment,
      [],
    );
    expect(perMinute(heard, "requests")).toEqual([0, 120]);
    expect(perMinute([momentOf(0, [], undefined)], "failed")).toEqual([0]);
  });

  it("is bounded, and one look counts once", () => {
    const at = (time: number) => momentOf(time, checks.items, undefined);
    let moments = withMoment([], at(0));
    expect(moments[0]).toEqual({ at: 0, unwell: 1, waiting: 0, waitMs: 0, outcomes: null });
    moments = withMoment(moments, at(0));
    expect(moments).toHaveLength(1);
    for (let time = 1; time < 300; time++) moments = withMoment(moments, at(time));
    expect(moments).toHaveLength(keptMoments);
    expect(moments.at(-1)?.at).toBe(299);
  });
});
