import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  RouterProvider,
} from "@tanstack/react-router";
import { act, type ReactNode } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { useSignIn } from "@/api/signIn";
import type { SignInState } from "@/api/types";
import { render, settled } from "@/testing/render";
import { json, serve } from "@/testing/server";
import RegisterPage from "./RegisterPage";

const state: SignInState = {
  mode: "accounts",
  registration_open: true,
  sends_mail: false,
  methods: ["password"],
  passkey_origins: [],
  providers: [],
  way: "secure",
  user: null,
};

afterEach(() => vi.unstubAllGlobals());

/** The page at its address, with the start page to go to. */
async function show(change: Partial<SignInState> = {}) {
  useSignIn.setState({ state: { ...state, ...change }, ended: false });
  const root = createRootRoute();
  const at = (path: string, component: () => ReactNode) =>
    createRoute({ getParentRoute: () => root, path, component });
  const router = createRouter({
    routeTree: root.addChildren([
      at("/register", RegisterPage),
      at("/", () => <p>the start page</p>),
    ]),
    history: createMemoryHistory({ initialEntries: ["/register"] }),
  });
  const page = render(<RouterProvider router={router} />);
  await settled();
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

describe("making an account where registration is open", () => {
  it("asks nobody as long as something is wrong, and says what beside each field", async () => {
    const asked = serve({});
    const page = await show();
    page.type("email", "nobody");
    page.type("password", "short");
    await page.send();
    expect(page.host.textContent).toContain("This is no e-mail address");
    expect(page.host.textContent).toContain("A password has at least 8 characters");
    expect(document.activeElement).toBe(page.field("email"));
    expect(asked).toEqual([]);
    page.leave();
  });

  it("signs in whoever made one, and leads to the start page", async () => {
    const user = { id: "ada", email: "ada@example.org", name: null, role: "member" };
    const asked = serve({ "POST /auth/register": () => json({ user }) });
    const page = await show();
    page.type("email", "ada@example.org");
    page.type("password", "a few words in a row");
    await page.send();
    expect(asked).toEqual(["POST /auth/register"]);
    expect(useSignIn.getState().state?.user).toEqual(user);
    expect(page.host.textContent).toBe("the start page");
    page.leave();
  });

  it("puts what the server says of a field beside the field", async () => {
    const said = {
      detail: "`password` is too easy to guess.",
      error: { param: "password", code: "invalid_request", message: "", type: "" },
    };
    serve({ "POST /auth/register": () => new Response(JSON.stringify(said), { status: 422 }) });
    const page = await show();
    page.type("email", "ada@example.org");
    page.type("password", "ada@example.org");
    await page.send();
    expect(page.field("password")?.getAttribute("aria-invalid")).toBe("true");
    expect(page.host.textContent).toContain("is too easy to guess");
    page.leave();
  });

  it("offers no form where it is closed, and says how people come in", async () => {
    const page = await show({ registration_open: false });
    expect(page.host.querySelector("form")).toBeNull();
    expect(page.host.textContent).toContain("People come here by invitation");
    page.leave();
  });
});
