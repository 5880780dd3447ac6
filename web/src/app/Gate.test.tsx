import { act } from "react";
import { afterEach, describe, expect, it } from "vitest";
import { reportRefused, useSignIn } from "@/api/signIn";
import type { SignInState, User } from "@/api/types";
import { render, settled } from "@/testing/render";
import { Gate } from "./Gate";

const ada: User = {
  id: "ada",
  email: "ada@example.org",
  name: null,
  role: "member",
  has_password: true,
};
const state = (mode: string, user: User | null): SignInState => ({
  mode,
  registration_open: false,
  sends_mail: false,
  methods: ["password"],
  passkey_origins: [],
  providers: [],
  way: "secure",
  user,
});

afterEach(() => useSignIn.setState({ state: null, ended: false }));

async function behind(given: SignInState | null) {
  useSignIn.setState({ state: given, ended: false });
  const page = render(<Gate>the chats</Gate>);
  // The screens outside are loaded when they are needed.
  for (let tries = 0; tries < 50 && page.host.textContent === ""; tries++) await settled();
  return page;
}

describe("the gate", () => {
  it("is open where there are no accounts, and while nobody knows", async () => {
    for (const given of [null, state("local", { ...ada, email: null }), state("accounts", ada)]) {
      const page = await behind(given);
      expect(page.host.textContent).toBe("the chats");
      page.leave();
    }
  });

  it("asks for a sign-in, and shows nothing of what is behind", async () => {
    const page = await behind(state("accounts", null));
    expect(page.host.querySelector("h1")?.textContent).toBe("Sign in");
    expect(page.host.textContent).not.toContain("the chats");
    page.leave();
  });

  it("says how a server gets its owner", async () => {
    const page = await behind(state("setup", null));
    expect(page.host.textContent).toContain("set-up link");
    page.leave();
  });

  it("closes when a sign-in is over, and says that nothing is lost", async () => {
    const page = await behind(state("accounts", ada));
    act(() => reportRefused(401, "http://page.test/api/chats"));
    for (let tries = 0; tries < 50 && !page.host.querySelector("h1"); tries++) await settled();
    expect(page.host.textContent).toContain("what you wrote is kept");
    page.leave();
  });
});
