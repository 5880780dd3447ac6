import { afterEach, describe, expect, it, vi } from "vitest";
import type { CheckList } from "@/api/types";
import { keptMoments, momentOf, withMoment } from "@/lib/statusHistory";
import { render, settled } from "@/testing/render";
import { json, serve } from "@/testing/server";
import { aModel, anUpstream, aStatus } from "@/testing/status";
import StatusSection from "./StatusSection";

afterEach(() => vi.unstubAllGlobals());

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
  it("is bounded, and one look counts once", () => {
    const at = (time: number) => momentOf(time, checks.items, undefined);
    let moments = withMoment([], at(0));
    expect(moments[0]).toEqual({ at: 0, unwell: 1, waiting: 0, waitMs: 0 });
    moments = withMoment(moments, at(0));
    expect(moments).toHaveLength(1);
    for (let time = 1; time < 300; time++) moments = withMoment(moments, at(time));
    expect(moments).toHaveLength(keptMoments);
    expect(moments.at(-1)?.at).toBe(299);
  });
});
