import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

class FakeWorker extends EventTarget {
  static made: FakeWorker[] = [];
  jobs: { id: number }[] = [];
  terminated = false;
  constructor() {
    super();
    FakeWorker.made.push(this);
  }
  postMessage(job: { id: number }) {
    this.jobs.push(job);
  }
  terminate() {
    this.terminated = true;
  }
  answer() {
    const data = { id: this.jobs.at(-1)?.id, spans: [["k", "let"]] };
    this.dispatchEvent(new MessageEvent("message", { data }));
  }
  die() {
    this.dispatchEvent(new Event("error"));
  }
}

const policies = vi.fn((_name: string, rules: object) => rules);
let highlight: typeof import("./highlighter").highlight;

beforeEach(async () => {
  FakeWorker.made = [];
  policies.mockClear();
  vi.resetModules();
  vi.stubGlobal("Worker", FakeWorker);
  vi.stubGlobal("trustedTypes", { createPolicy: policies });
  ({ highlight } = await import("./highlighter"));
});
afterEach(() => vi.unstubAllGlobals());

const last = () => FakeWorker.made.at(-1) as FakeWorker;

describe("the highlighter", () => {
  it("puts a dead worker away and colours with a new one, with one policy", async () => {
    const lost = highlight("let", "js");
    last().die();
    expect(await lost).toBeNull();
    expect(last().terminated).toBe(true);

    const coloured = highlight("let", "js");
    expect(FakeWorker.made.length).toBe(2);
    last().answer();
    expect(await coloured).toEqual([["k", "let"]]);
    expect(policies).toHaveBeenCalledTimes(1);
  });

  it("gives up on workers that only die", async () => {
    for (let round = 0; round < 6; round++) {
      const asked = highlight("let", "js");
      last().die();
      expect(await asked).toBeNull();
    }
    expect(FakeWorker.made.length).toBe(3);
  });

  it("keeps the worker after an answer, and does not ask twice for the same", async () => {
    const first = highlight("let", "js");
    last().answer();
    await first;
    expect(await highlight("let", "js")).toEqual([["k", "let"]]);
    expect([FakeWorker.made.length, last().jobs.length]).toEqual([1, 1]);
  });
});
