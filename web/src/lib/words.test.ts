import { describe, expect, it } from "vitest";
import { aChat, aTurn } from "@/testing/turns";
import { backoffSeconds } from "./backoff";
import { groupChats } from "./chatGroups";
import { splitCommand } from "./command";
import { answerFacts, bytes, contextWindow, duration, modelName } from "./format";
import { fromForm, toForm } from "./parameters";
import { matchShortcut } from "./shortcuts";

describe("answerFacts", () => {
  it("says who, where and how fast", () => {
    const turn = aTurn({
      timing: { first_token_ms: 84, total_ms: 2084 },
      usage: { prompt_tokens: 9, completion_tokens: 101, total_tokens: 110, cached_tokens: 0 },
    });
    expect(answerFacts(turn)).toEqual([
      "smollm2-135m-instruct",
      "on this machine",
      "first token 84 ms",
      "2.1 s in all",
      "101 tokens",
      "50.0 tok/s",
    ]);
  });
  it("says where a question was sent", () => {
    expect(answerFacts(aTurn({ model: "openai/gpt-5-mini", local: false }))).toContain(
      "sent to openai",
    );
  });
  it("claims nothing it was not told", () => {
    expect(answerFacts(aTurn({ model: null, local: null }))).toEqual([]);
  });
});

describe("small words", () => {
  it("formats durations, sizes, contexts and names", () => {
    expect([duration(999), duration(1500), duration(61_000)]).toEqual([
      "999 ms",
      "1.5 s",
      "1 min 1 s",
    ]);
    expect([bytes(512), bytes(144_811_520), bytes(4.7e9)]).toEqual(["512 B", "145 MB", "4.7 GB"]);
    expect(contextWindow(8192)).toBe("8K context");
    expect(modelName("ollama/org/model:7b")).toBe("org/model:7b");
  });
  it("waits longer each time, but never longer than ten seconds", () => {
    expect([0, 1, 2, 3, 4, 5, 99].map(backoffSeconds)).toEqual([0.5, 1, 2, 4, 8, 10, 10]);
  });
});

describe("splitCommand", () => {
  it.each([
    [
      "No model. Add one with: goblin models add ./m.gguf",
      "No model. Add one with:",
      "goblin models add ./m.gguf",
    ],
    ["Run `goblin up` first.", "Run goblin up first.", "goblin up"],
    [
      "The server behind `tier` cannot be reached. Check that it runs; `goblin doctor` names the cause.",
      "The server behind tier cannot be reached. Check that it runs; goblin doctor names the cause.",
      "goblin doctor",
    ],
    ["The server behind `tier` is busy.", "The server behind tier is busy.", null],
    ["Nothing to run here.", "Nothing to run here.", null],
  ])("%s", (text, sentence, command) => {
    expect(splitCommand(text)).toEqual({ sentence, command });
  });
});

describe("groupChats", () => {
  it("uses the headings a person thinks in", () => {
    const now = new Date(2026, 10, 23, 12);
    const at = (...when: [number, number, number, number]) =>
      aChat({ updated_at: new Date(...when).toISOString() });
    const groups = groupChats(
      [
        at(2026, 10, 23, 1),
        at(2026, 10, 22, 23),
        at(2026, 10, 18, 9),
        at(2026, 10, 1, 9),
        at(2026, 5, 1, 9),
      ],
      now,
    );
    expect(groups.map((group) => group.label)).toEqual([
      "Today",
      "Yesterday",
      "This week",
      "This month",
      "June 2026",
    ]);
  });
});

describe("parameters", () => {
  it("leaves an empty field to the model", () => {
    expect(fromForm(toForm({}))).toEqual({ values: {}, errors: {} });
  });
  it("gives back what it was given", () => {
    const given = { temperature: 0.7, max_tokens: 200, seed: 0, stop: ["END", "--"], top_p: 1 };
    expect(fromForm(toForm(given))).toEqual({ values: given, errors: {} });
  });
  it.each([
    ["temperature", "hot", "A number from 0 to 2"],
    ["temperature", "2.1", "Must be from 0 to 2"],
    ["max_tokens", "0", "Must be from 1"],
    ["max_tokens", "1.5", "A whole number"],
    ["presence_penalty", "-3", "Must be from -2 to 2"],
    ["stop", "a\nb\nc\nd\ne", "At most 4"],
  ] as const)("refuses %s = %s", (name, text, message) => {
    const { values, errors } = fromForm({ ...toForm({}), [name]: text });
    expect(errors[name]).toContain(message);
    expect(values[name]).toBeUndefined();
  });
  it("accepts a decimal comma", () => {
    expect(fromForm({ ...toForm({}), temperature: "0,5" }).values.temperature).toBe(0.5);
  });
});

describe("matchShortcut", () => {
  const press = (key: string, more: Partial<KeyboardEvent> = {}) => ({
    key,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    shiftKey: false,
    ...more,
  });
  const idle = { typing: false, singleKeys: true };
  it("knows Ctrl and ⌘ alike, also while typing", () => {
    expect(matchShortcut(press("k", { ctrlKey: true }), { ...idle, typing: true })).toBe(
      "new-chat",
    );
    expect(matchShortcut(press("K", { metaKey: true }), idle)).toBe("new-chat");
    expect(matchShortcut(press("k"), idle)).toBeNull();
  });
  it("never takes a letter from somebody typing", () => {
    for (const key of ["?", "/", "e", "r", "c"]) {
      expect(matchShortcut(press(key), { ...idle, typing: true })).toBeNull();
      expect(matchShortcut(press(key), idle)).not.toBeNull();
      expect(matchShortcut(press(key), { ...idle, singleKeys: false })).toBeNull();
    }
  });
  it("leaves copy and undo of text to the browser", () => {
    expect(matchShortcut(press("c", { ctrlKey: true }), idle)).toBeNull();
    expect(matchShortcut(press("z", { ctrlKey: true }), { ...idle, typing: true })).toBeNull();
    expect(matchShortcut(press("z", { ctrlKey: true }), idle)).toBe("undo");
  });
});
