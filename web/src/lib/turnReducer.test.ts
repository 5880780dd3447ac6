import { describe, expect, it } from "vitest";
import { aTrace } from "@/testing/traces";
import { aChat, aTurn } from "@/testing/turns";
import { sseRead, sseStart } from "./sse";
import { parseTurnEvent, reduceTurn, startTurn, type TurnEvent } from "./turnReducer";

const words = ["The ", "sky ", "is ", "blüe 👺", ".\n", "\n```rust\n", "fn main() {}\n```"];
const answer = words.join("");
const done = aTurn({ answer, status: "complete", finish_reason: "stop" });

const events: TurnEvent[] = [
  { name: "turn", id: 1, turn: aTurn(), chat: aChat() },
  { name: "reasoning", id: 2, text: "Light " },
  { name: "reasoning", id: 3, text: "scatters." },
  ...words.map((text, index): TurnEvent => ({ name: "delta", id: index + 4, text })),
  { name: "done", id: words.length + 4, turn: done },
];
const replaced: TurnEvent[] = [
  { name: "turn", id: 1, turn: aTurn(), chat: aChat() },
  { name: "reasoning", id: 2, text: "Hm." },
  { name: "delta", id: 3, text: "Maybe." },
  {
    name: "superseded",
    id: 4,
    model: "ollama/gemma:2b",
    by: "ollama/mistral:7b",
    local: true,
    why: "It was not sure enough.",
  },
  { name: "delta", id: 5, text: "Rayleigh " },
];
const run = (list: TurnEvent[], from = startTurn(null)) => list.reduce(reduceTurn, from);

function wire(list: TurnEvent[]): Uint8Array {
  const text = list.map(
    ({ name, id, ...data }) => `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`,
  );
  return new TextEncoder().encode(text.join(": ping\n\n"));
}

describe("reduceTurn", () => {
  it("puts an answer together and ends with what the server saved", () => {
    const before = run(events.slice(0, -1));
    expect(before.turn?.answer).toBe(answer);
    expect(before.turn?.reasoning).toBe("Light scatters.");
    expect(before.settled).toBe(false);
    const after = run(events);
    expect(after.turn).toEqual(done);
    expect(after.settled).toBe(true);
    expect(after.chat?.title).toBe("Why is the sky blue?");
  });

  it("loses and doubles nothing, wherever the line breaks and however much is replayed", () => {
    for (let broke = 0; broke <= events.length; broke++) {
      for (let replayFrom = 0; replayFrom <= broke; replayFrom++) {
        const state = run(events.slice(replayFrom), run(events.slice(0, broke)));
        expect(state, `broke after ${broke}, replayed from ${replayFrom}`).toEqual(run(events));
      }
    }
  });

  it("shows the saved part until the replay starts, then only the replay", () => {
    const reloaded = startTurn(aTurn({ answer: "The sky " }));
    expect(reloaded.turn?.answer).toBe("The sky ");
    const replayed = run(events.slice(0, 5), reloaded);
    expect(replayed.turn?.answer).toBe("The sky ");
  });

  it("comes to the same end for the bytes of a stream cut at every place", () => {
    const stream = wire(events);
    for (let cut = 0; cut <= stream.length; cut++) {
      let sse = sseStart;
      let state = startTurn(null);
      for (const chunk of [stream.slice(0, cut), stream.slice(cut)]) {
        const [next, found] = sseRead(sse, chunk);
        sse = next;
        for (const event of found) {
          const known = parseTurnEvent(event);
          if (known) state = reduceTurn(state, known);
        }
      }
      expect(state, `cut at ${cut}`).toEqual(run(events));
    }
  });

  it("takes a snapshot as the whole story, even after events were seen", () => {
    const incomplete = aTurn({ answer: "The sky", status: "incomplete" });
    const state = run([{ name: "snapshot", id: 1, turn: incomplete }], run(events.slice(0, 5)));
    expect(state.turn).toEqual(incomplete);
    expect(state.settled).toBe(true);
  });

  it("keeps an answer that was put aside in its place, and begins the better one below it", () => {
    const state = run(replaced);
    expect(state.earlier).toEqual([
      {
        kind: "superseded",
        model: "ollama/gemma:2b",
        by: "ollama/mistral:7b",
        local: true,
        why: "It was not sure enough.",
        answer: "Maybe.",
        reasoning: "Hm.",
      },
    ]);
    expect(state.turn).toMatchObject({
      answer: "Rayleigh ",
      reasoning: null,
      model: "ollama/mistral:7b",
    });
  });

  it("keeps nothing of an answer that was taken back, but the reason", () => {
    const state = run([
      ...replaced,
      { name: "retracted", id: 7, model: "ollama/mistral:7b", rule: "safety:harm", why: "Unsafe." },
    ]);
    expect(JSON.stringify(state)).not.toContain("Rayleigh");
    expect(state.earlier.at(-1)).toEqual({
      kind: "retracted",
      model: "ollama/mistral:7b",
      rule: "safety:harm",
      why: "Unsafe.",
    });
  });

  it("keeps nothing in place of an answer nobody has seen a word of", () => {
    const [first, , , superseded] = replaced;
    expect(run([first, superseded] as TurnEvent[]).earlier).toEqual([]);
  });

  it("says that text is held until anything but a trace comes", () => {
    const checking: TurnEvent = {
      name: "checking",
      id: 7,
      part: "window",
      judge: "ollama/gemma:2b",
      heldTokens: 52,
    };
    const held = run([...replaced, checking]);
    expect(held.checking).toEqual({ part: "window", judge: "ollama/gemma:2b", heldTokens: 52 });
    const traced = reduceTurn(held, { name: "trace", id: 8, trace: aTrace() });
    expect(traced.checking).toEqual(held.checking);
    expect(traced.trace).toEqual(aTrace());
    for (const next of [
      { name: "delta", id: 9, text: "more" },
      { name: "done", id: 9, turn: done },
      { name: "snapshot", id: 9, turn: done },
    ] as TurnEvent[]) {
      expect(reduceTurn(traced, next).checking, next.name).toBeNull();
    }
  });

  it("comes to the same end when a replaced answer is replayed from the start", () => {
    const later: TurnEvent[] = [...replaced, { name: "trace", id: 7, trace: aTrace() }];
    for (let broke = 0; broke <= later.length; broke++) {
      expect(run(later, run(later.slice(0, broke)))).toEqual(run(later));
    }
    const fromTheStart = { ...run(later), lastEventId: 0 };
    expect(run(later, fromTheStart)).toEqual(run(later));
  });

  it("changes nothing after the end", () => {
    const settled = run(events);
    expect(reduceTurn(settled, { name: "delta", id: 999, text: "more" })).toBe(settled);
  });

  it("does not fail on words before the turn", () => {
    expect(run([{ name: "delta", id: 1, text: "early" }]).turn).toBeNull();
  });
});

describe("parseTurnEvent", () => {
  it.each([
    ["not JSON", { id: "1", event: "delta", data: "{" }],
    ["a name of a newer server", { id: "1", event: "verdict", data: "{}" }],
    ["a delta without text", { id: "1", event: "delta", data: "{}" }],
    ["a turn that is none", { id: "1", event: "turn", data: '{"turn":7}' }],
    ["null", { id: "1", event: "done", data: "null" }],
    ["a trace that is none", { id: "1", event: "trace", data: '{"trace":{}}' }],
    ["an id that is no number", { id: "x", event: "delta", data: '{"text":"a"}' }],
  ])("passes over %s", (_, event) => {
    expect(parseTurnEvent(event)).toBeNull();
  });

  it("reads what is checked, put aside and taken back", () => {
    const read = (event: string, data: unknown) =>
      parseTurnEvent({ id: "4", event, data: JSON.stringify(data) });
    expect(
      read("checking", { about: { part: "window", window: 2 }, judge: "a/b", held_tokens: 52 }),
    ).toEqual({ name: "checking", id: 4, part: "window", judge: "a/b", heldTokens: 52 });
    expect(read("checking", { about: { part: "prompt" }, judge: null, held_tokens: 0 })).toEqual({
      name: "checking",
      id: 4,
      part: "prompt",
      judge: null,
      heldTokens: 0,
    });
    expect(read("superseded", { model: "a/b", by: "c/d", local: false, why: "W." })).toEqual({
      name: "superseded",
      id: 4,
      model: "a/b",
      by: "c/d",
      local: false,
      why: "W.",
    });
    expect(read("retracted", { model: "a/b", rule: "safety:harm", why: "W." })).toEqual({
      name: "retracted",
      id: 4,
      model: "a/b",
      rule: "safety:harm",
      why: "W.",
    });
    expect(read("retracted", {})).toMatchObject({ name: "retracted", rule: "" });
    expect(read("trace", { trace: aTrace() })).toEqual({ name: "trace", id: 4, trace: aTrace() });
  });

  it("reads a delta", () => {
    expect(parseTurnEvent({ id: "4", event: "delta", data: '{"text":"hi"}' })).toEqual({
      name: "delta",
      id: 4,
      text: "hi",
    });
  });
});
