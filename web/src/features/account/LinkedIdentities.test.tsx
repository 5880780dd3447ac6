import { act } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { useSignIn } from "@/api/signIn";
import type { LinkedIdentity, SignInState } from "@/api/types";
import { render, settled } from "@/testing/render";
import { json, serve } from "@/testing/server";
import LinkedIdentities from "./LinkedIdentities";

const state: SignInState = {
  mode: "accounts",
  registration_open: false,
  sends_mail: false,
  methods: ["password", "provider"],
  passkey_origins: [],
  providers: [{ id: "oidc", name: "Example ID" }],
  way: "secure",
  user: { id: "ada", email: "ada@example.org", name: null, role: "member", has_password: true },
};

const identity: LinkedIdentity = {
  id: "0197-i",
  provider: "Example ID",
  issuer: "https://id.example.org",
  email: "ada@id.example.org",
  created_at: "2026-11-01T10:00:00Z",
  used_at: "2026-11-20T10:00:00Z",
};

const list = (items: LinkedIdentity[]) => () => json({ items });

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  window.history.replaceState(null, "", "/");
});

async function show() {
  useSignIn.setState({ state, ended: false });
  const page = render(<LinkedIdentities />);
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

describe("linked sign-ins", () => {
  it("shows what is linked, and what came of linking", async () => {
    window.history.replaceState(null, "", "/account/linked?linked=oidc");
    serve({ "GET /api/account/identities": list([identity]) });
    const page = await show();
    expect(page.host.textContent).toContain("ada@id.example.org");
    expect(page.host.querySelector("[role=status]")?.textContent).toContain("Example ID is linked");
    expect(window.location.search).toBe("");
    page.leave();
  });

  it("says why linking came to nothing", async () => {
    window.history.replaceState(null, "", "/account/linked?error=taken");
    serve({ "GET /api/account/identities": list([]) });
    const page = await show();
    expect(page.host.querySelector("[role=alert]")?.textContent).toContain("linked already");
    expect(page.host.textContent).toContain("None is linked.");
    page.leave();
  });

  it("goes to the provider after asking once more", async () => {
    const leave = vi.fn();
    vi.spyOn(window.location, "assign").mockImplementation(leave);
    const url = "https://id.example.org/authorize?state=s";
    const asked = serve({
      "GET /api/account/identities": list([]),
      "POST /api/account/identities": () => json({ url, authorization_url: url }),
    });
    const page = await show();
    await page.press("Link Example ID");
    expect(asked).not.toContain("POST /api/account/identities");
    await page.press("Go to Example ID");
    expect(leave).toHaveBeenCalledWith(url);
    page.leave();
  });

  it("asks for the password only when the server wants it", async () => {
    const said = {
      detail: "You signed in more than ten minutes ago. Give your password as `password`.",
      code: "invalid_request",
      param: "password",
    };
    serve({
      "GET /api/account/identities": list([identity]),
      "DELETE /api/account/identities/0197-i": () =>
        new Response(JSON.stringify(said), { status: 422 }),
    });
    const page = await show();
    await page.press("Unlink Example ID");
    expect(document.querySelector("[name=password]")).toBeNull();
    await page.press("Unlink");
    expect(document.querySelector("[name=password]")).not.toBeNull();
    expect(document.body.textContent).toContain("more than ten minutes ago");
    page.leave();
  });
});
