/**
 * A reader for text/event-stream, hand-written because EventSource can neither POST nor send
 * headers. Pure: state and bytes in, state and events out, so a test can cut a stream anywhere.
 * It works on bytes until a line is whole; a character split between two chunks never breaks.
 */
export interface SseEvent {
  id: string | null;
  event: string;
  data: string;
}

export interface SseState {
  /** Bytes of the line not yet ended. */
  readonly line: Uint8Array;
  /** The last byte was CR: an LF that follows belongs to it. */
  readonly afterCr: boolean;
  readonly started: boolean;
  readonly id: string | null;
  readonly event: string;
  readonly data: readonly string[];
}

const CR = 13;
const LF = 10;
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

export const sseStart: SseState = {
  line: new Uint8Array(0),
  afterCr: false,
  started: false,
  id: null,
  event: "",
  data: [],
};

export function sseRead(state: SseState, chunk: Uint8Array): [SseState, SseEvent[]] {
  const events: SseEvent[] = [];
  let current = state;
  let from = 0;
  for (let at = 0; at < chunk.length; at++) {
    const byte = chunk[at];
    if (byte === LF && current.afterCr && at === from) {
      current = { ...current, afterCr: false };
      from = at + 1;
    } else if (byte === CR || byte === LF) {
      const line = utf8.decode(join(current.line, chunk.subarray(from, at)));
      current = readLine({ ...current, line: sseStart.line, afterCr: byte === CR }, line, events);
      from = at + 1;
    }
  }
  const rest = chunk.subarray(from);
  if (rest.length > 0) {
    current = { ...current, line: join(current.line, rest), afterCr: false };
  }
  return [current, events];
}

function readLine(state: SseState, rawLine: string, events: SseEvent[]): SseState {
  const line = !state.started && rawLine.startsWith("\uFEFF") ? rawLine.slice(1) : rawLine;
  const next = { ...state, started: true };
  if (line === "") return dispatch(next, events);
  const colon = line.indexOf(":");
  if (colon === 0) return next; // a comment: the server's ping
  const field = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
  if (field === "data") return { ...next, data: [...next.data, value] };
  if (field === "event") return { ...next, event: value };
  if (field === "id" && !value.includes("\0")) return { ...next, id: value };
  return next; // `retry` and unknown fields: we have our own backoff
}

function dispatch(state: SseState, events: SseEvent[]): SseState {
  if (state.data.length > 0) {
    events.push({ id: state.id, event: state.event || "message", data: state.data.join("\n") });
  }
  return { ...state, event: "", data: [] };
}

function join(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length === 0) return right.slice();
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}
