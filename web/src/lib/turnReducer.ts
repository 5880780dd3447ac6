import type { Chat, Trace, Turn } from "@/api/types";
import type { SseEvent } from "./sse";

/**
 * What we know of one turn while it is being answered. Everything that reaches the page by stream
 * goes through `reduceTurn`: a first connection, a re-attach that replays from the start or from
 * the last event seen, and the snapshot of a turn whose log is gone.
 */
export interface TurnState {
  readonly turn: Turn | null;
  readonly chat: Chat | null;
  /** The highest event id applied; a replay up to here changes nothing. */
  readonly lastEventId: number;
  readonly settled: boolean;
  /** What the reader waits for while text is held back. */
  readonly checking: Checking | null;
  /** What was shown before the answer that is shown now, in order. It stays where the reader read it. */
  readonly earlier: readonly Earlier[];
  /** Why the answer comes from where it comes from, as far as that is known. */
  readonly trace: Trace | null;
}

/** A question to a judge, in the words of the wire. */
export interface Checking {
  part: "prompt" | "window" | "answer";
  judge: string | null;
  heldTokens: number;
}

/** An answer that was put aside for a better one, or taken back; of the latter nothing is kept. */
export type Earlier =
  | {
      kind: "superseded";
      model: string;
      by: string;
      local: boolean;
      why: string;
      answer: string;
      reasoning: string | null;
    }
  | { kind: "retracted"; model: string; rule: string; why: string };

export type TurnEvent =
  | { name: "turn"; id: number; turn: Turn; chat: Chat | null }
  | { name: "delta" | "reasoning"; id: number; text: string }
  | ({ name: "checking"; id: number } & Checking)
  | { name: "superseded"; id: number; model: string; by: string; local: boolean; why: string }
  | { name: "retracted"; id: number; model: string; rule: string; why: string }
  | { name: "trace"; id: number; trace: Trace }
  | { name: "done" | "snapshot"; id: number; turn: Turn };

export function startTurn(turn: Turn | null): TurnState {
  return {
    turn,
    chat: null,
    lastEventId: 0,
    settled: false,
    checking: null,
    earlier: [],
    trace: null,
  };
}

export function reduceTurn(state: TurnState, event: TurnEvent): TurnState {
  if (state.settled) return state;
  if (event.name === "snapshot") {
    return { ...state, turn: event.turn, settled: true, checking: null };
  }
  if (event.id <= state.lastEventId) return state;
  const seen = { ...state, lastEventId: event.id };
  // Whatever comes, the wait for a judge is over; only the trace says nothing of that.
  const released = event.name === "trace" ? seen : { ...seen, checking: null };
  switch (event.name) {
    case "turn":
      // The first event of the log: whatever we showed from the saved turn is about to be replayed.
      return {
        ...released,
        turn: { ...event.turn, answer: "", reasoning: null },
        chat: event.chat,
        earlier: [],
        trace: null,
      };
    case "delta":
      if (!state.turn) return released;
      return { ...released, turn: { ...state.turn, answer: state.turn.answer + event.text } };
    case "reasoning":
      if (!state.turn) return released;
      return {
        ...released,
        turn: { ...state.turn, reasoning: (state.turn.reasoning ?? "") + event.text },
      };
    case "checking": {
      const { part, judge, heldTokens } = event;
      return { ...seen, checking: { part, judge, heldTokens } };
    }
    case "superseded": {
      if (!state.turn) return released;
      const { model, by, local, why } = event;
      const { answer, reasoning } = state.turn;
      return {
        ...released,
        turn: { ...state.turn, answer: "", reasoning: null, model: by, local },
        // Of an answer nobody has seen a word of there is nothing to keep in its place.
        earlier:
          answer === "" && !reasoning
            ? state.earlier
            : [
                ...state.earlier,
                { kind: "superseded", model, by, local, why, answer, reasoning: reasoning ?? null },
              ],
      };
    }
    case "retracted": {
      if (!state.turn) return released;
      const { model, rule, why } = event;
      return {
        ...released,
        turn: { ...state.turn, answer: "", reasoning: null },
        earlier: [...state.earlier, { kind: "retracted", model, rule, why }],
      };
    }
    case "trace":
      return { ...released, trace: event.trace };
    case "done":
      return { ...released, turn: event.turn, settled: true };
  }
}

/** Reads one event off the wire; null for a name this page does not know, so a newer server may add some. */
export function parseTurnEvent(event: SseEvent): TurnEvent | null {
  const id = Number(event.id ?? 0);
  if (!Number.isInteger(id)) return null;
  let data: Record<string, unknown>;
  try {
    data = JSON.parse(event.data);
  } catch {
    return null;
  }
  if (data === null || typeof data !== "object") return null;
  switch (event.event) {
    case "turn":
      return isTurn(data.turn)
        ? { name: "turn", id, turn: data.turn, chat: (data.chat as Chat | undefined) ?? null }
        : null;
    case "delta":
    case "reasoning":
      return typeof data.text === "string" ? { name: event.event, id, text: data.text } : null;
    case "checking":
      return {
        name: "checking",
        id,
        part: partOf(data.about),
        judge: typeof data.judge === "string" ? data.judge : null,
        heldTokens: typeof data.held_tokens === "number" ? data.held_tokens : 0,
      };
    case "superseded":
      return {
        name: "superseded",
        id,
        model: text(data.model),
        by: text(data.by),
        local: data.local !== false,
        why: text(data.why),
      };
    case "retracted":
      // Taken back is taken back, however little is said about it.
      return {
        name: "retracted",
        id,
        model: text(data.model),
        rule: text(data.rule),
        why: text(data.why),
      };
    case "trace":
      return isTrace(data.trace) ? { name: "trace", id, trace: data.trace } : null;
    case "done":
    case "snapshot":
      return isTurn(data.turn) ? { name: event.event, id, turn: data.turn } : null;
    default:
      return null;
  }
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

function partOf(about: unknown): Checking["part"] {
  const part = (about as { part?: unknown } | null | undefined)?.part;
  return part === "prompt" || part === "answer" ? part : "window";
}

function isTurn(value: unknown): value is Turn {
  return typeof value === "object" && value !== null && typeof (value as Turn).id === "string";
}

function isTrace(value: unknown): value is Trace {
  if (typeof value !== "object" || value === null) return false;
  const { trace_id, steps } = value as Partial<Trace>;
  return typeof trace_id === "string" && Array.isArray(steps);
}
