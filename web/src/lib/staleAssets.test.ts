import { describe, expect, it } from "vitest";
import { mayReload } from "./staleAssets";

function memory(): Pick<Storage, "getItem" | "setItem"> {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
  };
}

describe("a part of the page that is gone", () => {
  it("loads the page anew once, and again only after a while", () => {
    const storage = memory();
    expect(mayReload(1_000_000, storage)).toBe(true);
    expect(mayReload(1_001_000, storage)).toBe(false);
    expect(mayReload(1_029_999, storage)).toBe(false);
    expect(mayReload(1_030_000, storage)).toBe(true);
  });

  it("never does so where nothing can be remembered", () => {
    const forbidden = {
      getItem: () => {
        throw new Error("forbidden");
      },
      setItem: () => {},
    };
    expect(mayReload(1_000_000, forbidden)).toBe(false);
  });
});
