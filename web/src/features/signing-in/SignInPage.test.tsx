import { act } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { useSignIn } from "@/api/signIn";
import type { SignInState } from "@/api/types";
import { render, settled } from "@/testing/render";
import { json, serve } from "@/testing/server";
import SignInPage from "./SignInPage";

const state: SignInState = {
  mode: "accounts",
  registration_open: false,
  sends_mail: false,
  methods: ["password"],
  passkey_origins: [],
  providers: [],
  way: "secure",
  user: null,
};

afterEach(() => vi.unstubAllGlobals());

function show(change: Partial<SignInState> = {}) {
  useSignIn.setState({ state: { ...state, ...change }, ended: false });
  const page = render(<SignInPage />);
  const field = (name: string) => page.host.querySelector<HTMLInputElement>(`[name=${name}]`);
  const type = (name: string, text: string) =>
    act(() => {
      const input = field(name);
      if (!input) throw new Error(`no field ${name}`);
      const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set;
      set?.call(input, text);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
  const send = async () => {
    act(() => page.host.querySelector("form")?.requestSubmit());
    await settled();
  };
  return { ...page, field, type, send };
}

describe("signing in", () => {
  it("asks nobody as long as a field is empty, and says so beside it", async () => {
    const asked = serve({});
    const page = show();
    await page.send();
    expect(page.host.textContent).toContain("Type an e-mail address");
    expect(page.field("email")?.getAttribute("aria-invalid")).toBe("true");
    expect(document.activeElement).toBe(page.field("email"));
    expect(asked).toEqual([]);
    page.leave();
  });

  it("says what the server says, and keeps what was typed", async () => {
    const said = {
      detail: "Invalid email or password",
      error: { param: null, code: "unauthorized" },
    };
    serve({ "POST /auth/login": () => new Response(JSON.stringify(said), { status: 401 }) });
    const page = show();
    page.type("email", "ada@example.org");
    page.type("password", "wrong");
    await page.send();
    expect(page.host.querySelector("[role=alert].form-failure")?.textContent).toBe(
      "Invalid email or password",
    );
    expect(page.field("email")?.value).toBe("ada@example.org");
    page.leave();
  });

  it("puts what the server says of a field beside the field", async () => {
    const said = {
      detail: "`email` must be an address: it has no `@`.",
      error: { param: "email", code: "invalid_request", message: "", type: "" },
    };
    serve({ "POST /auth/login": () => new Response(JSON.stringify(said), { status: 422 }) });
    const page = show();
    page.type("email", "ada@example.org");
    page.type("password", "a password");
    await page.send();
    expect(page.field("email")?.getAttribute("aria-invalid")).toBe("true");
    expect(page.host.textContent).toContain("email must be an address");
    page.leave();
  });

  it("lets in whom the server lets in", async () => {
    const user = {
      id: "ada",
      email: "ada@example.org",
      name: null,
      role: "member",
      has_password: true,
    };
    serve({ "POST /auth/login": () => json({ user }) });
    const page = show();
    page.type("email", "ada@example.org");
    page.type("password", "a password");
    await page.send();
    expect(useSignIn.getState().state?.user).toEqual(user);
    page.leave();
  });

  it("offers nothing where nobody can sign in, and says why", () => {
    const page = show({ way: "far" });
    expect(page.host.querySelector("form")).toBeNull();
    expect(page.host.textContent).toContain("Open it with https");
    page.leave();
  });

  it("offers each provider by its name and sends the browser there", async () => {
    const leave = vi.fn();
    vi.spyOn(window.location, "assign").mockImplementation(leave);
    const url = "https://id.example.org/authorize?state=s";
    const asked = serve({ "GET /auth/oidc/oidc/url": () => json({ url, authorization_url: url }) });
    const page = show({
      methods: ["password", "provider"],
      providers: [{ id: "oidc", name: "Example ID" }],
    });
    const button = [...page.host.querySelectorAll("button")].find(
      ({ textContent }) => textContent === "Continue with Example ID",
    );
    act(() => button?.click());
    await settled();
    expect(asked).toEqual(["GET /auth/oidc/oidc/url"]);
    expect(leave).toHaveBeenCalledWith(url);
    page.leave();
  });

  it("says why somebody came back without being signed in, once", () => {
    window.history.replaceState(null, "", "/?error=not_invited");
    const page = show({
      methods: ["password", "provider"],
      providers: [{ id: "oidc", name: "Example ID" }],
    });
    expect(page.host.textContent).toContain("Nobody here invited this e-mail address");
    expect(window.location.search).toBe("");
    page.leave();
  });
});
