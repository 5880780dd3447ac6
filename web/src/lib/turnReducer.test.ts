import { describe, expect, it } from "vitest";
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
    ["an id that is no number", { id: "x", event: "delta", data: '{"text":"a"}' }],
  ])("passes over %s", (_, event) => {
    expect(parseTurnEvent(event)).toBeNull();
  });

  it("reads a delta", () => {
    expect(parseTurnEvent({ id: "4", event: "delta", data: '{"text":"hi"}' })).toEqual({
      name: "delta",
      id: 4,
      text: "hi",
    });
  });
});
