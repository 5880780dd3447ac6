import { act } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Cloud } from "@/api/types";
import { render, settled } from "@/testing/render";
import { json, serve } from "@/testing/server";
import { changeOf } from "./ProviderForm";
import ProvidersSection from "./ProvidersSection";

const cloud = (change: Partial<Cloud>): Cloud => ({
  id: "openai",
  enabled: true,
  key_set_by: "page",
  last_four: "WXYZ",
  key_updated_at: "2026-11-20T10:00:00Z",
  base_url: "https://api.openai.com/v1",
  base_url_set_by: "default",
  key_variable: "OPENAI_API_KEY",
  health: "ok",
  advice: null,
  shown_models: null,
  models: ["gpt-5"],
  ...change,
});

const keyless = cloud({
  id: "anthropic",
  key_set_by: null,
  last_four: null,
  key_updated_at: null,
  key_variable: "ANTHROPIC_API_KEY",
  health: "no_key",
  advice: "It has no key, so it is never asked. Keep one here, or set ANTHROPIC_API_KEY.",
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

async function show() {
  const page = render(<ProvidersSection />);
  await settled();
  const button = (name: string) =>
    [...document.querySelectorAll("button")].find(
      (one) => (one.getAttribute("aria-label") ?? one.textContent) === name,
    );
  const press = async (name: string) => {
    const found = button(name);
    if (!found) throw new Error(`no button ${name}`);
    act(() => found.click());
    await settled();
  };
  const row = (id: string) => page.host.querySelector(`[data-provider=${id}]`)?.textContent ?? "";
  return { ...page, button, press, row };
}

describe("providers", () => {
  it("shows whose key is in force, and what to do where there is none", async () => {
    serve({ "GET /api/providers": () => json({ items: [cloud({}), keyless] }) });
    const page = await show();
    expect(page.row("openai")).toContain("Answers");
    expect(page.row("openai")).toContain("key ending in WXYZ");
    expect(page.row("anthropic")).toContain("No key");
    expect(page.row("anthropic")).toContain("set ANTHROPIC_API_KEY");
    expect(page.button("Test Anthropic")).toBeUndefined();
    expect(page.button("Add a key for Anthropic")).toBeDefined();
    page.leave();
  });

  it("says what came of a test, in our words", async () => {
    const advice = "https://api.openai.com/v1 refuses the key. Make a new one at the provider.";
    serve({
      "GET /api/providers": () => json({ items: [cloud({})] }),
      "POST /api/providers/openai/test": () =>
        json({ id: "openai", health: "key_refused", advice, models: 0, took_ms: 12 }),
    });
    const page = await show();
    await page.press("Test OpenAI");
    expect(page.row("openai")).toContain("Refuses the key");
    expect(page.row("openai")).toContain(advice);
    page.leave();
  });

  it("switches a provider off and asks again how it is", async () => {
    const asked = serve({
      "GET /api/providers": () => json({ items: [cloud({})] }),
      "PUT /api/providers/openai": () => json(cloud({ enabled: false, health: "off" })),
    });
    const page = await show();
    await page.press("Switch off OpenAI");
    expect(asked.filter((what) => what === "GET /api/providers")).toHaveLength(2);
    page.leave();
  });

  it("asks before a key is forgotten", async () => {
    const asked = serve({
      "GET /api/providers": () => json({ items: [cloud({})] }),
      "DELETE /api/providers/openai": () => new Response(null, { status: 204 }),
    });
    const page = await show();
    await page.press("Set up OpenAI");
    await page.press("Forget the key of OpenAI");
    expect(asked).not.toContain("DELETE /api/providers/openai");
    await page.press("Forget the key");
    expect(asked).toContain("DELETE /api/providers/openai");
    page.leave();
  });

  it("does not offer to change what the environment says", async () => {
    const locked = cloud({ key_set_by: "environment", last_four: null });
    serve({ "GET /api/providers": () => json({ items: [locked] }) });
    const page = await show();
    await page.press("Set up OpenAI");
    expect(page.row("openai")).toContain("Change OPENAI_API_KEY there");
    expect(page.host.querySelector("[name=key]")).toBeNull();
    expect(page.host.querySelector("[name=base_url]")).toBeNull();
    page.leave();
  });
});

describe("a change", () => {
  it("holds only what is different", () => {
    expect(changeOf(cloud({}), { key: "", url: "", models: "" })).toEqual({});
    expect(changeOf(keyless, { key: " sk-x ", url: "", models: "" })).toEqual({ key: "sk-x" });
    const moved = cloud({
      base_url: "https://gateway.example/v1",
      base_url_set_by: "page",
      shown_models: ["gpt-5"],
    });
    expect(changeOf(moved, { key: "", url: moved.base_url, models: "gpt-5" })).toEqual({});
    expect(changeOf(moved, { key: "k", url: "", models: "" })).toEqual({
      key: "k",
      base_url: null,
      shown_models: null,
    });
    expect(changeOf(cloud({}), { key: "", url: "", models: "a, b,," })).toEqual({
      shown_models: ["a", "b"],
    });
  });
});
