import { act } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { render, settled } from "@/testing/render";
import { json, serve } from "@/testing/server";
import { aBudget } from "@/testing/usage";
import BudgetsSection from "./BudgetsSection";

afterEach(() => vi.unstubAllGlobals());

async function show() {
  const page = render(<BudgetsSection />);
  await settled();
  const press = async (name: string) => {
    const all = [...document.querySelectorAll("button")];
    const button = all.findLast(
      (one) => one.textContent === name || one.getAttribute("aria-label") === name,
    );
    if (!button) throw new Error(`no button ${name}`);
    act(() => button.click());
    await settled();
  };
  return { ...page, press };
}

describe("budgets", () => {
  it("shows what was spent of each, and removes only those that are set here", async () => {
    const asked = serve({
      "GET /api/budgets": () =>
        json({
          items: [aBudget({ id: null }), aBudget({ kind: "user", subject: "*", spent_usd: null })],
        }),
      "DELETE /api/budgets/0197-b": () => new Response(null, { status: 204 }),
    });
    const page = await show();
    const rows = [...page.host.querySelectorAll("li")];
    expect(rows[0]?.textContent).toContain("$1.25 spent");
    expect(rows[0]?.querySelector("button")).toBeNull();
    await page.press("Remove the budget: Each user, month");
    await page.press("Remove");
    expect(asked).toContain("DELETE /api/budgets/0197-b");
    page.leave();
  });

  it("asks for an amount before it asks the server", async () => {
    const asked = serve({ "GET /api/budgets": () => json({ items: [] }) });
    const page = await show();
    expect(page.host.textContent).toContain("nothing bounds what is spent");
    await page.press("Set the budget");
    expect(page.host.textContent).toContain("A number of US dollars above 0.");
    expect(asked).not.toContain("PUT /api/budgets");
    page.leave();
  });
});
