import { describe, expect, it } from "vitest";
import { aModel, anUpstream, aStatus } from "@/testing/status";
import {
  expectation,
  healthNews,
  nothingInstalled,
  quietLine,
  readiness,
  troubled,
} from "./health";
import { placeOf } from "./place";
import { atStart, CALM_MS, nextLookMs, seenAgain } from "./statusRhythm";

const down = anUpstream({ state: "down", detail: "It cannot be reached." });

describe("health", () => {
  it("names the worst first and nobody who is well", () => {
    const ollama = anUpstream({ id: "ollama", name: "Ollama", state: "slow" });
    const well = anUpstream({ id: "engine", name: "This machine" });
    const status = aStatus({ upstreams: [well, ollama, down] });
    expect(troubled(status).map((one) => one.id)).toEqual(["tier", "ollama"]);
  });
  it("counts models that are there", () => {
    const models = [aModel(), aModel({ id: "tier/b", state: "down" })];
    expect(quietLine(aStatus({ models }))).toBe("1 model, 1 in memory");
    expect(quietLine(aStatus({ upstreams: [] }))).toBe("No model server yet");
  });
  it("tells what changed, once", () => {
    const [well, ill] = [aStatus(), aStatus({ upstreams: [down] })];
    expect(healthNews(undefined, well)).toBeNull();
    expect(healthNews(undefined, ill)).toBe("Model tier: down. It cannot be reached.");
    expect(healthNews(well, ill)).toBe("Model tier: down. It cannot be reached.");
    expect(healthNews(ill, ill)).toBeNull();
    expect(healthNews(ill, well)).toBe("Model tier is up again.");
  });
  it("asks for a model to be installed only when nobody is merely away", () => {
    expect(nothingInstalled(aStatus({ models: [] }))).toBe(true);
    expect(nothingInstalled(aStatus({ models: [], upstreams: [] }))).toBe(true);
    expect(nothingInstalled(aStatus({ models: [], upstreams: [down] }))).toBe(false);
    expect(nothingInstalled(undefined)).toBe(false);
  });
});

describe("a model in the picker", () => {
  it("says how ready it is, in words", () => {
    const half = anUpstream({ state: "loading", progress_percent: 41 });
    expect(readiness(aModel(), undefined).word).toBe("in memory");
    expect(readiness(aModel({ state: "loading" }), half).word).toBe("loading, 41 %");
    expect(readiness(aModel({ state: "loading" }), anUpstream()).word).toBe("loading");
    expect(readiness(aModel({ state: "available", must_load: true }), undefined).word).toBe(
      "not in memory",
    );
    expect(readiness(aModel({ state: "available" }), undefined).word).toBe("ready");
    expect(readiness(aModel({ state: "down" }), down).word).toBe("down");
  });
  it("says what to expect", () => {
    const cold = aModel({ state: "available", must_load: true, predicted_first_token_ms: 4200 });
    expect(expectation(cold, undefined)).toBe(
      "Would have to be loaded first: about 4.2 s to the first word",
    );
    const busy = aModel({ queued: 2, predicted_wait_ms: 9000, predicted_first_token_ms: 1000 });
    expect(expectation(busy, undefined)).toBe("2 waiting: about 10.0 s to the first word");
    expect(expectation(aModel(), undefined)).toBeNull();
    expect(expectation(aModel({ state: "down" }), down)).toBe("It cannot be reached.");
    expect(expectation(aModel({ state: "down" }), anUpstream())).toBe("It does not answer now.");
  });
  it("claims this machine only for what is in it", () => {
    expect(placeOf("engine", true)).toBe("on this machine");
    expect(placeOf("tier", true)).toBe("on your model tier");
    expect(placeOf("ollama", true)).toBe("on your own ollama");
    expect(placeOf("openai", false)).toBe("sent to openai");
  });
});

describe("how often the page looks", () => {
  it("is calm while all is well", () => {
    expect(nextLookMs(atStart, aStatus())).toBe(CALM_MS);
  });
  it("is quick after a change and slower while nothing moves", () => {
    const ill = aStatus({ upstreams: [down] });
    let rhythm = seenAgain(atStart, ill);
    const waits = [];
    for (let look = 0; look < 30; look++) {
      waits.push(nextLookMs(rhythm, ill));
      rhythm = seenAgain(rhythm, ill);
    }
    expect(waits[0]).toBeLessThanOrEqual(2000);
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits.at(-1)).toBe(15_000);
    expect(nextLookMs(seenAgain(rhythm, aStatus()), ill)).toBe(waits[0]);
  });
  it("follows loading closely", () => {
    const loading = aStatus({ upstreams: [anUpstream({ state: "loading" })] });
    expect(nextLookMs(atStart, loading)).toBeLessThanOrEqual(1500);
  });
});
