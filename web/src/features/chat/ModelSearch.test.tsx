import { act } from "react";
import { describe, expect, it, vi } from "vitest";
import { render, settled } from "@/testing/render";
import { aModel, aStatus } from "@/testing/status";
import ModelSearch from "./ModelSearch";

const status = aStatus({
  models: [
    aModel({ id: "tier/phi3:3.8b" }),
    aModel({ id: "openai/gpt-5", provider: "openai", local: false }),
    aModel({ id: "openai/gone", provider: "openai", local: false, state: "down" }),
  ],
});

async function show() {
  const onChoose = vi.fn();
  const onClose = vi.fn();
  const page = render(<ModelSearch status={status} onChoose={onChoose} onClose={onClose} />);
  await settled();
  const field = page.host.querySelector("input");
  if (!field) throw new Error("no field");
  const type = async (text: string) => {
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set;
    act(() => {
      set?.call(field, text);
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await settled();
  };
  const names = () =>
    [...page.host.querySelectorAll("li .font-medium")].map((name) => name.textContent);
  return { ...page, field, onChoose, onClose, type, names };
}

describe("finding a model", () => {
  it("takes the first by Enter, and offers none that is away", async () => {
    const page = await show();
    expect(page.names()).toHaveLength(2);
    await page.type("openai");
    expect(page.names()).toEqual(["gpt-5"]);
    act(() => page.field.form?.requestSubmit());
    expect(page.onChoose).toHaveBeenCalledWith("openai/gpt-5");
    expect(page.onClose).toHaveBeenCalled();
    page.leave();
  });

  it("says so when nothing fits, and then takes nothing", async () => {
    const page = await show();
    await page.type("llama");
    expect(page.host.querySelector("[role=status]")?.textContent).toContain("No model");
    act(() => page.field.form?.requestSubmit());
    expect(page.onChoose).not.toHaveBeenCalled();
    page.leave();
  });
});
