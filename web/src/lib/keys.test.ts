import { describe, expect, it } from "vitest";
import type { ApiKey } from "@/api/types";
import { boundsOf, endOf, entriesOf, keyState } from "./keys";

const now = Date.parse("2026-11-27T12:00:00Z");
const key: ApiKey = {
  id: "1",
  public_id: "abcdefgh",
  name: "ci",
  user: "u",
  scopes: ["infer", "embed"],
  models: null,
  networks: null,
  budget: null,
  requests_per_minute: null,
  concurrent: null,
  created_at: "2026-11-01T00:00:00Z",
  expires_at: null,
  last_used_at: null,
  revoked_at: null,
};

describe("keys of the API", () => {
  it("are good until they end or are revoked", () => {
    expect(keyState(key, now)).toBe("good");
    expect(keyState({ ...key, expires_at: "2026-11-27T12:00:01Z" }, now)).toBe("good");
    expect(keyState({ ...key, expires_at: "2026-11-27T12:00:00Z" }, now)).toBe("expired");
    const both = { ...key, expires_at: "2026-11-01T00:00:00Z", revoked_at: "2026-11-02T00:00:00Z" };
    expect(keyState(both, now)).toBe("revoked");
  });

  it("end so many days from now, or never", () => {
    expect(endOf("30", now)).toBe("2026-12-27T12:00:00.000Z");
    expect(endOf("never", now)).toBeNull();
  });

  it("say in a few words what they are bound to", () => {
    expect(boundsOf(key)).toEqual(["asks models"]);
    const bound: ApiKey = {
      ...key,
      scopes: ["read"],
      models: ["goblin/*"],
      networks: ["10.0.0.0/8"],
      budget: { usd: 2.5, period: "month" },
    };
    expect(boundsOf(bound)).toEqual([
      "only looks",
      "only goblin/*",
      "from 10.0.0.0/8",
      "$2.5 a month",
    ]);
  });

  it("take lists with commas or on lines", () => {
    expect(entriesOf(" goblin, ollama/*\n10.0.0.7 ,,")).toEqual(["goblin", "ollama/*", "10.0.0.7"]);
    expect(entriesOf(" \n")).toEqual([]);
  });
});
