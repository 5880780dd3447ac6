import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readDraft, writeDraft } from "@/lib/useDraft";
import { json, serve } from "@/testing/server";
import { request } from "./client";
import {
  enter,
  leave,
  loadSignIn,
  needsSignIn,
  reportRefused,
  useSignIn,
  whenSignedIn,
} from "./signIn";
import type { SignInState, User } from "./types";

const ada: User = {
  id: "ada",
  email: "ada@example.org",
  name: null,
  role: "member",
  has_password: true,
};
const bob: User = {
  id: "bob",
  email: "bob@example.org",
  name: "Bob",
  role: "owner",
  has_password: true,
};
const accounts = (user: User | null): SignInState => ({
  mode: "accounts",
  registration_open: false,
  sends_mail: false,
  methods: ["password"],
  passkey_origins: [],
  providers: [],
  way: "secure",
  user,
});
const refused = () => new Response(JSON.stringify({ detail: "over" }), { status: 401 });
const goTo = vi.fn();

beforeEach(() => {
  sessionStorage.clear();
  useSignIn.setState({ state: null, ended: false });
  vi.spyOn(window.location, "assign").mockImplementation(goTo);
});
afterEach(() => {
  leave();
  goTo.mockClear();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("who is signed in", () => {
  it("is asked once, and a server without accounts asks nobody", async () => {
    const local = { ...accounts(null), mode: "local", user: { ...bob, email: null } };
    const asked = serve({ "GET /auth/state": () => json(local) });
    await loadSignIn();
    expect(asked).toEqual(["GET /auth/state"]);
    expect(needsSignIn(useSignIn.getState())).toBe(false);
  });

  it("the first account ends local mode and set-up", () => {
    for (const mode of ["local", "setup"]) {
      useSignIn.setState({ state: { ...accounts(null), mode } });
      enter(ada);
      expect(useSignIn.getState().state).toEqual(accounts(ada));
    }
  });

  it("is not known when nothing answers; then the page is as without accounts", async () => {
    serve({});
    await loadSignIn();
    expect(useSignIn.getState().state).toBeNull();
    expect(needsSignIn(useSignIn.getState())).toBe(false);
  });

  it("a refused request ends a sign-in; what was written stays", async () => {
    serve({ "GET /auth/state": () => json(accounts(ada)), "GET /api/chats": refused });
    await loadSignIn();
    writeDraft("new", "half a question");
    await expect(request("http://page.test/api/chats")).rejects.toThrow("over");
    expect(needsSignIn(useSignIn.getState())).toBe(true);
    expect(useSignIn.getState().ended).toBe(true);
    const resumed = whenSignedIn();
    enter(ada);
    await resumed;
    expect(useSignIn.getState().ended).toBe(false);
    expect(readDraft("new")).toBe("half a question");
    expect(goTo).not.toHaveBeenCalled();
  });

  it("a wrong password is no sign-in that is over", () => {
    useSignIn.setState({ state: accounts(ada) });
    reportRefused(401, "http://page.test/auth/login");
    reportRefused(403, "http://page.test/api/users");
    expect(needsSignIn(useSignIn.getState())).toBe(false);
  });

  it("is asked again when there are accounts all of a sudden", async () => {
    const asked = serve({ "GET /auth/state": () => json(accounts(null)) });
    useSignIn.setState({ state: { ...accounts(null), mode: "local" } });
    reportRefused(401, "http://page.test/api/status");
    await vi.waitFor(() => expect(needsSignIn(useSignIn.getState())).toBe(true));
    expect(asked).toEqual(["GET /auth/state"]);
  });

  it("nobody finds what somebody else wrote or looked at", () => {
    useSignIn.setState({ state: accounts(null) });
    enter(ada);
    writeDraft("new", "Ada's secret");
    enter(bob);
    expect(readDraft("new")).toBe("");
    expect(goTo).toHaveBeenCalledWith("/");
  });

  it("whoever leaves takes what they wrote along", () => {
    useSignIn.setState({ state: accounts(null) });
    enter(ada);
    writeDraft("new", "Ada's secret");
    leave();
    expect(readDraft("new")).toBe("");
    expect(goTo).toHaveBeenCalledWith("/");
  });
});
