import { sseRead, sseStart } from "@/lib/sse";
import { parseTurnEvent, type TurnEvent } from "@/lib/turnReducer";
import { request } from "./client";
import { apiOrigin } from "./origin";
import { reportEvent, traceHeaders } from "./telemetry";
import type { NewTurn } from "./types";

/** The server pings every 15 s; two of them missing means the line is dead though nobody said so. */
const SILENCE_MS = 40_000;

export type TurnRequest =
  | { kind: "create"; chatId: string; body: NewTurn }
  | { kind: "regenerate"; turnId: string; model?: string }
  | { kind: "edit"; turnId: string; content: string };

export function openTurn(asked: TurnRequest, signal: AbortSignal): Promise<Response> {
  switch (asked.kind) {
    case "create":
      reportEvent("question_asked");
      return post(`/api/chats/${encodeURIComponent(asked.chatId)}/turns`, asked.body, signal);
    case "regenerate":
      reportEvent("answer_regenerated");
      return post(
        `/api/turns/${encodeURIComponent(asked.turnId)}/regenerate`,
        asked.model ? { model: asked.model } : {},
        signal,
      );
    case "edit":
      reportEvent("question_edited");
      return post(
        `/api/turns/${encodeURIComponent(asked.turnId)}/edit`,
        { content: asked.content },
        signal,
      );
  }
}

export function reopenTurn(turnId: string, lastEventId: number, signal: AbortSignal) {
  return request(`${apiOrigin()}/api/turns/${encodeURIComponent(turnId)}/events`, {
    headers: { accept: "text/event-stream", "last-event-id": String(lastEventId) },
    signal,
  });
}

function post(path: string, body: unknown, signal: AbortSignal): Promise<Response> {
  return request(apiOrigin() + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "text/event-stream",
      ...traceHeaders(),
    },
    body: JSON.stringify(body),
    signal,
  });
}

/** Reads turn events until the stream ends; throws when the line breaks or falls silent. */
export async function readTurnEvents(
  response: Response,
  onEvent: (event: TurnEvent) => void,
): Promise<void> {
  if (!response.body) return;
  const reader = response.body.getReader();
  let state = sseStart;
  try {
    for (;;) {
      const { done, value } = await withinSilence(reader.read());
      if (done) return;
      const [next, events] = sseRead(state, value);
      state = next;
      for (const event of events) {
        const known = parseTurnEvent(event);
        if (known) onEvent(known);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function withinSilence<T>(read: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the stream fell silent")), SILENCE_MS);
  });
  try {
    return await Promise.race([read, silence]);
  } finally {
    clearTimeout(timer);
  }
}
