import { act } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { useSignIn } from "@/api/signIn";
import type { SignInState } from "@/api/types";
import { render, settled } from "@/testing/render";
import { json } from "@/testing/server";
import { aUsageItem, aUsageReport } from "@/testing/usage";
import UsagePage from "./UsagePage";

const admin: SignInState = {
  mode: "accounts",
  registration_open: false,
  sends_mail: false,
  methods: ["password"],
  passkey_origins: [],
  providers: [],
  way: "secure",
  user: { id: "ada", email: "ada@example.org", name: null, role: "admin", has_password: true },
};

afterEach(() => {
  vi.unstubAllGlobals();
  useSignIn.setState({ state: null, ended: false });
});

/** A server that remembers what it was asked for. */
function serveUsage(): URL[] {
  const asked: URL[] = [];
  vi.stubGlobal("fetch", async (input: string | Request) => {
    const url = new URL(typeof input === "string" ? input : input.url, "http://page.test");
    asked.push(url);
    const by = url.searchParams.get("by");
    const items =
      by === "day"
        ? [aUsageItem({ id: "2026-11-22", requests: 3, cost_usd: 0.5, unknown_cost: 1 })]
        : by === "model"
          ? [aUsageItem({ id: "openai/gpt-5", requests: 2, cost_usd: 0.5 })]
          : by === "user"
            ? [aUsageItem({ id: "u-1", name: "Ada", requests: 3, estimated: 1 })]
            : [];
    const total = aUsageItem({
      requests: 3,
      cost_usd: 0.5,
      unknown_cost: 1,
      local: 1,
      would_have_cost_usd: 0.02,
    });
    return json(aUsageReport({ items, total }));
  });
  return asked;
}

async function show(state: SignInState | null) {
  useSignIn.setState({ state, ended: false });
  const page = render(<UsagePage menu={null} />);
  await settled();
  return page;
}

describe("the usage page", () => {
  it("says what is unknown and what local answers would have cost", async () => {
    serveUsage();
    const page = await show(null);
    const text = page.host.textContent ?? "";
    expect(page.host.querySelector("[data-testid=usage-total]")?.textContent).toContain(
      "$0.50 + 1 unknown for 3 requests",
    );
    expect(text).toContain("1 local answer would have cost $0.02 at openai/gpt-5-mini");
    expect(text).toContain("gpt-5 (openai)");
    page.leave();
  });

  it("draws a bar for every day, with a name for those who do not see it", async () => {
    serveUsage();
    const page = await show(null);
    const chart = page.host.querySelector("svg[role=img]");
    expect(chart?.getAttribute("aria-label")).toContain("Cost by day");
    expect(chart?.querySelectorAll("g")).toHaveLength(7);
    expect(chart?.querySelectorAll("title")[1]?.textContent).toContain("$0.50 + 1 unknown");
    page.leave();
  });

  it("shows everybody's only to admins who ask for it", async () => {
    const asked = serveUsage();
    const page = await show(admin);
    expect(asked.some((url) => url.searchParams.get("everybody") === "true")).toBe(false);
    const select = [...page.host.querySelectorAll("select")].find((one) =>
      one.textContent?.includes("Everybody"),
    );
    if (!select) throw new Error("no choice of whose");
    act(() => {
      select.value = "all";
      select.dispatchEvent(new Event("change", { bubbles: true }));
    });
    await settled();
    expect(asked.some((url) => url.searchParams.get("everybody") === "true")).toBe(true);
    expect(page.host.textContent).toContain("By user");
    page.leave();
  });
});
