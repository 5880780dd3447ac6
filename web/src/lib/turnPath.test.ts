import { describe, expect, it } from "vitest";
import { aTurn } from "@/testing/turns";
import { branchOf, placeTurn } from "./turnPath";

const a = aTurn({ id: "a" });
const b = aTurn({ id: "b", parent: "a" });
const c = aTurn({ id: "c", parent: "b" });
const ids = (turns: { id: string }[]) => turns.map((turn) => turn.id).join("");

describe("placeTurn", () => {
  it("puts an answer after its parent", () => {
    expect(ids(placeTurn([a, b], c))).toBe("abc");
  });
  it("replaces a turn by its newer state", () => {
    expect(placeTurn([a, b], { ...b, answer: "x" })[1]?.answer).toBe("x");
  });
  it("takes the place of a sibling, with all that followed it", () => {
    expect(ids(placeTurn([a, b, c], aTurn({ id: "d", parent: "a" })))).toBe("ad");
  });
  it("begins a new root", () => {
    expect(ids(placeTurn([a, b, c], aTurn({ id: "r", parent: null })))).toBe("r");
  });
  it("keeps a turn whose parent is on a page not loaded", () => {
    expect(ids(placeTurn([b], aTurn({ id: "z", parent: "elsewhere" })))).toBe("bz");
  });
});

describe("branchOf", () => {
  it("counts versions and knows their neighbours", () => {
    expect(branchOf(aTurn({ id: "y", siblings: ["x", "y", "z"] }))).toEqual({
      position: 2,
      count: 3,
      previous: "x",
      next: "z",
    });
  });
  it("has no neighbours alone", () => {
    expect(branchOf(a)).toEqual({ position: 1, count: 1, previous: null, next: null });
  });
});
