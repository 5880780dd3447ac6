import { describe, expect, it } from "vitest";
import { emailProblem, newPasswordProblem, problemsOf } from "./credentials";
import {
  deedWords,
  deviceName,
  isThisMachine,
  personName,
  reaches,
  relative,
  rolesBelow,
} from "./people";

describe("roles", () => {
  it("each may do what the ones before it may", () => {
    expect(reaches("owner", "admin")).toBe(true);
    expect(reaches("admin", "admin")).toBe(true);
    expect(reaches("viewer", "member")).toBe(false);
  });
  it("gives away only what the server lets it", () => {
    expect(rolesBelow("owner")).toEqual(["viewer", "member", "admin", "owner"]);
    expect(rolesBelow("admin")).toEqual(["viewer", "member"]);
    expect(rolesBelow("member")).toEqual([]);
  });
});

describe("deviceName", () => {
  const name = (device: string | null, kind: "browser" | "tokens" = "browser") =>
    deviceName({ device, kind });
  it.each([
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
      "Edge on Windows",
    ],
    [
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36",
      "Chrome on Linux",
    ],
    [
      "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
      "Chrome on Android",
    ],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
      "Safari on iPhone",
    ],
    [
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0",
      "Firefox on macOS",
    ],
  ])("%s", (device, expected) => {
    expect(name(device)).toBe(expected);
  });
  it("shows a program as it calls itself, and nothing endless", () => {
    expect(name("curl/8.5.0", "tokens")).toBe("curl/8.5.0");
    expect(name("x".repeat(500))).toHaveLength(61);
    expect(name(null, "tokens")).toBe("A program");
    expect(name(null)).toBe("A browser");
  });
});

describe("words", () => {
  it("says how long ago and how long still", () => {
    const now = Date.parse("2026-11-27T12:00:00Z");
    expect(relative("2026-11-27T11:59:30Z", now)).toBe("now");
    expect(relative("2026-11-27T11:59:00Z", now)).toBe("1 minute ago");
    expect(relative("2026-11-27T09:00:00Z", now)).toBe("3 hours ago");
    expect(relative("2026-12-04T12:00:00Z", now)).toBe("in 7 days");
    expect(relative("2026-12-04T11:59:00Z", now)).toBe("in 7 days");
    expect(relative("2026-11-26T13:00:00Z", now)).toBe("23 hours ago");
  });
  it("calls somebody by name, else by address", () => {
    expect(personName({ name: "Ada", email: "a@b.org" })).toBe("Ada");
    expect(personName({ name: null, email: "a@b.org" })).toBe("a@b.org");
  });
  it("hides no deed it does not know", () => {
    expect(deedWords({ action: "account.changed", detail: "role admin" })).toBe(
      "Account changed (role admin)",
    );
    expect(deedWords({ action: "moon.landed", detail: null })).toBe("moon.landed");
  });
  it("knows this machine by name", () => {
    expect(
      ["localhost", "127.0.0.1", "127.8.0.1", "[::1]", "a.localhost"].every(isThisMachine),
    ).toBe(true);
    expect(["10.0.0.1", "127.example.org", "localhost.org"].some(isThisMachine)).toBe(false);
  });
});

describe("what is typed to sign in", () => {
  it.each(["", "ada", "@example.org", "ada@", "a@b@c", "a b@c.org"])(
    "%s is no address",
    (email) => {
      expect(emailProblem(email)).toBeDefined();
    },
  );
  it("leaves addresses it does not know better to the server", () => {
    for (const email of [" ada@example.org ", "ädä@exämple.org", "a+b@localhost"]) {
      expect(emailProblem(email)).toBeUndefined();
    }
  });
  it("counts bytes of a password, as the server does", () => {
    expect(newPasswordProblem("")).toBe("Choose a password");
    expect(newPasswordProblem("short")).toContain("at least 8");
    expect(newPasswordProblem("ääää")).toBeUndefined();
    expect(newPasswordProblem("ä".repeat(513))).toContain("this one has 1026");
  });
  it("keeps only the fields something is wrong with", () => {
    expect(problemsOf({ email: undefined, password: "No." })).toEqual({ password: "No." });
  });
});
