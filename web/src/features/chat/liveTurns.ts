import { create } from "zustand";
import type { Turn } from "@/api/types";
import type { Earlier, TurnState } from "@/lib/turnReducer";

/**
 * Turns being answered right now, outside of React: a model may send a thousand tokens a second,
 * a screen shows sixty frames. Changes collect here and reach React once per frame.
 */
export interface LiveTurn {
  chatId: string;
  state: TurnState;
  /** The turn as it began; its identity does not change with each token. */
  begun: Turn;
  /** It belongs at the end of the path on screen (false once the reader moved to another branch). */
  placed: boolean;
  /** The line broke and is being picked up again. */
  reconnecting: boolean;
}

export interface PendingQuestion {
  key: string;
  chatId: string;
  content: string;
  /** The turn this takes the place of, when a question is asked again. */
  insteadOf: string | null;
}

interface LiveTurns {
  turns: Record<string, LiveTurn>;
  /** Of turns that have ended: answers that were put aside, which stay where they were read. */
  kept: Record<string, readonly Earlier[]>;
  pending: PendingQuestion | null;
}

export const useLiveTurns = create<LiveTurns>(() => ({ turns: {}, kept: {}, pending: null }));

let next: Record<string, LiveTurn> | null = null;
let frame = 0;

export function liveTurn(id: string): LiveTurn | undefined {
  return (next ?? useLiveTurns.getState().turns)[id];
}

export function putLiveTurn(id: string, turn: LiveTurn): void {
  next = { ...(next ?? useLiveTurns.getState().turns), [id]: turn };
  // A hidden page gets no frames; what matters then is only that the end is not missed.
  if (turn.state.settled || document.hidden) flush();
  else if (frame === 0) frame = requestAnimationFrame(flush);
}

export function dropLiveTurn(id: string): void {
  flush();
  const { [id]: _, ...others } = useLiveTurns.getState().turns;
  useLiveTurns.setState({ turns: others });
}

/** Most ended turns whose earlier answers stay on the page. */
const MOST_KEPT = 50;

/** The turn ends; what was put aside on its way is not saved anywhere, and stays until the page is left. */
export function keepEarlier(id: string, earlier: readonly Earlier[]): void {
  if (earlier.length === 0) return;
  const others = Object.entries(useLiveTurns.getState().kept).slice(1 - MOST_KEPT);
  useLiveTurns.setState({ kept: { ...Object.fromEntries(others), [id]: earlier } });
}

/** The reader looks at another branch: what is being written elsewhere must not push itself in. */
export function unplaceLiveTurns(chatId: string): void {
  flush();
  const turns = Object.entries(useLiveTurns.getState().turns).map(([id, turn]) => [
    id,
    turn.chatId === chatId ? { ...turn, placed: false } : turn,
  ]);
  useLiveTurns.setState({ turns: Object.fromEntries(turns) });
}

export function setPending(pending: PendingQuestion): void {
  useLiveTurns.setState({ pending });
}

export function clearPending(key: string): void {
  if (useLiveTurns.getState().pending?.key === key) useLiveTurns.setState({ pending: null });
}

function flush(): void {
  if (frame !== 0) cancelAnimationFrame(frame);
  frame = 0;
  if (next) useLiveTurns.setState({ turns: next });
  next = null;
}
