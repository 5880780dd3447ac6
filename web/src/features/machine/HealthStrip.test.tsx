import { act } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useConnection } from "@/api/connection";
import { statusQuery } from "@/api/queries";
import type { Status } from "@/api/types";
import { render, settled } from "@/testing/render";
import { json, serve } from "@/testing/server";
import { anUpstream, aStatus } from "@/testing/status";
import { useAnnouncement } from "@/ui/announce";
import { HealthStrip } from "./HealthStrip";

const down = anUpstream({
  state: "down",
  detail: "It cannot be reached.",
  fix: "Start it with `goblin models serve`.",
  admin_detail: "http://10.0.0.7:8002 refused",
});
let page: ReturnType<typeof render>;
let status: Status;
let opened: number;

beforeEach(() => {
  opened = 0;
  status = aStatus();
  serve({ "GET /api/status": () => json(status) });
  useConnection.setState({ down: false });
  useAnnouncement.setState({ text: "", count: 0 });
  page = render(<HealthStrip onOpen={() => opened++} />);
});
afterEach(() => {
  page.leave();
  vi.unstubAllGlobals();
});

async function becomes(next: Partial<Status>) {
  status = aStatus(next);
  await act(() => page.client.refetchQueries({ queryKey: statusQuery.queryKey }));
  await settled();
}

it("says nothing while all is well", async () => {
  await becomes({});
  expect(page.host.textContent).toBe("");
  expect(useAnnouncement.getState().count).toBe(0);
});

it("says all there is to say when nobody answers, and speaks once", async () => {
  await becomes({});
  await becomes({ upstreams: [down] });
  const text = page.host.textContent ?? "";
  for (const part of ["Model tier", "down", "It cannot be reached.", "goblin models serve"]) {
    expect(text).toContain(part);
  }
  expect(text).not.toContain("10.0.0.7");
  await becomes({ upstreams: [down], version: "0.1.1" });
  expect(useAnnouncement.getState()).toEqual({
    text: "Model tier: down. It cannot be reached.",
    count: 1,
  });
  page.host.querySelector("button")?.click();
  expect(opened).toBe(1);
  await becomes({});
  expect(page.host.textContent).toBe("");
  expect(useAnnouncement.getState().text).toBe("Model tier is up again.");
});

it("is brief while another one answers", async () => {
  await becomes({ upstreams: [down, anUpstream({ id: "engine", name: "This machine" })] });
  expect(page.host.textContent).toContain("This machine answers.");
  expect(page.host.textContent).not.toContain("goblin models serve");
});

it("leaves the word to the banner when the backend itself is away", async () => {
  await becomes({ upstreams: [down] });
  act(() => useConnection.setState({ down: true }));
  expect(page.host.textContent).toBe("");
  act(() => useConnection.setState({ down: false }));
});
