import { describe, expect, it } from "vitest";
import { type SseEvent, sseRead, sseStart } from "./sse";

const bytes = (text: string) => new TextEncoder().encode(text);

function readAll(chunks: Uint8Array[]): SseEvent[] {
  const all: SseEvent[] = [];
  let state = sseStart;
  for (const chunk of chunks) {
    const [next, events] = sseRead(state, chunk);
    state = next;
    all.push(...events);
  }
  return all;
}

const stream = bytes(
  '\uFEFF: welcome\n\nid: 1\nevent: turn\ndata: {"turn":"Ü"}\n\n' +
    "id: 2\r\nevent: delta\r\ndata: 👺 goblin\r\n\r\n" +
    ": ping\n\nid: 3\revent: delta\rdata: first\rdata: second\r\r" +
    "data:no space\n\nevent: lonely\n\nid: 5\ndata\n\nunknown: x\nretry: 10\ndata: end\n\ndata: unfinished",
);
const expected: SseEvent[] = [
  { id: "1", event: "turn", data: '{"turn":"Ü"}' },
  { id: "2", event: "delta", data: "👺 goblin" },
  { id: "3", event: "delta", data: "first\nsecond" },
  { id: "3", event: "message", data: "no space" },
  { id: "5", event: "message", data: "" },
  { id: "5", event: "message", data: "end" },
];

describe("sseRead", () => {
  it("reads a stream given in one piece", () => {
    expect(readAll([stream])).toEqual(expected);
  });

  it("reads the same wherever the stream is cut in two", () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(readAll([stream.slice(0, cut), stream.slice(cut)]), `cut at ${cut}`).toEqual(expected);
    }
  });

  it("reads the same byte by byte, and in chunks of every small size", () => {
    for (let size = 1; size <= 17; size++) {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < stream.length; at += size) chunks.push(stream.slice(at, at + size));
      expect(readAll(chunks), `chunks of ${size}`).toEqual(expected);
    }
  });

  it("keeps an event that has not ended to itself", () => {
    expect(readAll([bytes("data: not yet\n")])).toEqual([]);
  });

  it("does not change the state it was given", () => {
    const [state] = sseRead(sseStart, bytes("id: 7\ndata: a"));
    sseRead(state, bytes("b\n\n"));
    const [, events] = sseRead(state, bytes("c\n\n"));
    expect(events).toEqual([{ id: "7", event: "message", data: "ac" }]);
  });
});
