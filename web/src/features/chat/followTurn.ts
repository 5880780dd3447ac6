import { notifyManager, type QueryClient } from "@tanstack/react-query";
import { whenUp } from "@/api/connection";
import { apiAddress } from "@/api/origin";
import { hasTurn, lookAgain, putChat, putTurn, traceQuery, turnsQuery } from "@/api/queries";
import { whenSignedIn } from "@/api/signIn";
import { openTurn, readTurnEvents, reopenTurn, type TurnRequest } from "@/api/turnStream";
import type { Turn } from "@/api/types";
import { backoffSeconds } from "@/lib/backoff";
import { modelName } from "@/lib/format";
import { ProblemError, UnreachableError } from "@/lib/problems";
import { ruleWords } from "@/lib/trust";
import { reduceTurn, startTurn, type TurnEvent } from "@/lib/turnReducer";
import { announce } from "@/ui/announce";
import {
  clearPending,
  dropLiveTurn,
  keepEarlier,
  liveTurn,
  putLiveTurn,
  setPending,
  unplaceLiveTurns,
} from "./liveTurns";

const never = new AbortController().signal;
let questions = 0;

export interface Question {
  chatId: string;
  content: string;
  asked: TurnRequest;
}

/**
 * Asks, and resolves as soon as the server has the question; the answer goes on by itself from
 * there, whatever page is shown. Rejects when the question did not arrive.
 */
export async function askTurn(client: QueryClient, question: Question): Promise<Turn> {
  const insteadOf = question.asked.kind === "create" ? null : question.asked.turnId;
  const key = `pending-${questions++}`;
  setPending({
    key,
    chatId: question.chatId,
    content: question.content,
    insteadOf,
  });
  try {
    const response = await openTurn(question.asked, never);
    return await new Promise<Turn>((resolve, reject) => {
      let id: string | null = null;
      const onEvent = (event: TurnEvent) => {
        if (id === null && "turn" in event) {
          id = event.turn.id;
          // What is still being written in the branch left behind must not push itself back in.
          if (leavesBranch(question.asked)) unplaceLiveTurns(question.chatId);
          begin(event.turn, true);
          clearPending(key);
          resolve(event.turn);
        }
        if (id !== null) apply(client, id, event);
      };
      readTurnEvents(response, onEvent)
        .catch(() => {})
        .then(() => {
          if (id === null) reject(new UnreachableError(apiAddress()));
          else return pickUp(client, id);
        });
    });
  } finally {
    clearPending(key);
  }
}

/** Joins a turn that was being answered before this page was loaded. */
export function attachTurn(client: QueryClient, turn: Turn): void {
  if (liveTurn(turn.id)) return;
  begin(turn, false);
  pickUp(client, turn.id);
}

/** Asked anywhere but at the end of the path: the new turn begins another branch. */
function leavesBranch(asked: TurnRequest): boolean {
  return asked.kind !== "create" || asked.body.parent != null;
}

function begin(turn: Turn, placed: boolean): void {
  putLiveTurn(turn.id, {
    chatId: turn.chat_id,
    state: startTurn(turn),
    begun: turn,
    placed,
    reconnecting: false,
  });
}

/** Until the turn is settled: connect, replay what was missed, read on; again when the line breaks. */
async function pickUp(client: QueryClient, id: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const live = liveTurn(id);
    if (!live || live.state.settled) return;
    if (attempt > 0) {
      putLiveTurn(id, { ...live, reconnecting: true });
      await seconds(backoffSeconds(attempt - 1));
      await whenUp(never);
      await whenSignedIn();
    }
    const before = live.state.lastEventId;
    try {
      const response = await reopenTurn(id, before, never);
      const current = liveTurn(id);
      if (current?.reconnecting) putLiveTurn(id, { ...current, reconnecting: false });
      await readTurnEvents(response, (event) => apply(client, id, event));
    } catch (error) {
      if (error instanceof ProblemError && error.problem.status === 404) {
        dropLiveTurn(id); // its chat was deleted meanwhile
        return;
      }
    }
    if ((liveTurn(id)?.state.lastEventId ?? 0) > before) attempt = 0;
  }
}

function apply(client: QueryClient, id: string, event: TurnEvent): void {
  const live = liveTurn(id);
  if (!live || live.state.settled) return;
  const state = reduceTurn(live.state, event);
  if (state === live.state) return;
  putLiveTurn(id, { ...live, state, reconnecting: false });
  if (event.name === "turn" && event.chat) putChat(client, event.chat, "first");
  if (event.name === "superseded" || event.name === "retracted") announce(told(event));
  if (!state.settled || !state.turn) return;
  if (state.trace) client.setQueryData(traceQuery(id).queryKey, state.trace);
  keepEarlier(id, state.earlier);
  settle(client, state.turn, live.placed);
}

/** What a screen reader says when an answer it may have read is not the answer any more. */
function told(event: Extract<TurnEvent, { name: "superseded" | "retracted" }>): string {
  return event.name === "retracted"
    ? `What was written so far was taken back: ${ruleWords(event.rule)}.`
    : `The answer so far was put aside. ${modelName(event.by)} answers again.`;
}

function settle(client: QueryClient, turn: Turn, placed: boolean): void {
  announce(spoken(turn));
  if (placed) {
    putTurn(client, turn);
    // The query cache tells React a moment later; until then the finished turn is still shown from here.
    setTimeout(() => dropLiveTurn(turn.id), 200);
  } else {
    settleElsewhere(client, turn);
  }
  // Its model is in memory now, or its server is away.
  lookAgain(client);
}

/** A turn this page did not put on the path: saved where it stands, or not on this branch at all. */
async function settleElsewhere(client: QueryClient, turn: Turn): Promise<void> {
  if (!hasTurn(client, turn)) {
    await client.invalidateQueries({ queryKey: turnsQuery(turn.chat_id).queryKey });
  }
  if (hasTurn(client, turn)) putTurn(client, turn);
  // In the line behind what the cache has to tell React, so the finished turn never goes missing.
  notifyManager.schedule(() => dropLiveTurn(turn.id));
}

/** What a screen reader says once, when an answer is there. */
function spoken(turn: Turn): string {
  switch (turn.status) {
    case "stopped":
      return "Answer stopped.";
    case "failed":
      return `The answer failed. ${turn.error?.detail ?? ""}`;
    case "incomplete":
      return "The answer was cut off. What had been written is kept.";
    default: {
      const rule = turn.trace?.refused_by;
      if (rule) return `The answer was refused: ${ruleWords(rule)}.`;
      const text = turn.answer.replace(/[`*_#>|]/g, "").trim();
      return `Goblin answered: ${text.length > 400 ? `${text.slice(0, 400)}… and more` : text}`;
    }
  }
}

const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1000));
