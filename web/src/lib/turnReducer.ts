import type { Chat, Turn } from "@/api/types";
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
}

export type TurnEvent =
  | { name: "turn"; id: number; turn: Turn; chat: Chat | null }
  | { name: "delta" | "reasoning"; id: number; text: string }
  | { name: "done" | "snapshot"; id: number; turn: Turn };

export function startTurn(turn: Turn | null): TurnState {
  return { turn, chat: null, lastEventId: 0, settled: false };
}

export function reduceTurn(state: TurnState, event: TurnEvent): TurnState {
  if (state.settled) return state;
  if (event.name === "snapshot") {
    return { ...state, turn: event.turn, settled: true };
  }
  if (event.id <= state.lastEventId) return state;
  const seen = { ...state, lastEventId: event.id };
  switch (event.name) {
    case "turn":
      // The first event of the log: whatever we showed from the saved turn is about to be replayed.
      return {
        ...seen,
        turn: { ...event.turn, answer: "", reasoning: null },
        chat: event.chat,
      };
    case "delta":
      if (!state.turn) return seen;
      return { ...seen, turn: { ...state.turn, answer: state.turn.answer + event.text } };
    case "reasoning":
      if (!state.turn) return seen;
      return {
        ...seen,
        turn: { ...state.turn, reasoning: (state.turn.reasoning ?? "") + event.text },
      };
    case "done":
      return { ...seen, turn: event.turn, settled: true };
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
    case "done":
    case "snapshot":
      return isTurn(data.turn) ? { name: event.event, id, turn: data.turn } : null;
    default:
      return null;
  }
}

function isTurn(value: unknown): value is Turn {
  return typeof value === "object" && value !== null && typeof (value as Turn).id === "string";
}
