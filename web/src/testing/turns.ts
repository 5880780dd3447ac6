import type { Chat, Turn } from "@/api/types";

/** A turn as the server would send it, with what a test cares about on top. */
export function aTurn(given: Partial<Turn> = {}): Turn {
  const id = given.id ?? "t1";
  return {
    id,
    chat_id: "c1",
    parent: null,
    content: "Why is the sky blue?",
    attachments: [],
    answer: "",
    reasoning: null,
    status: "streaming",
    finish_reason: null,
    model: "engine/smollm2-135m-instruct",
    local: true,
    error: null,
    usage: null,
    left_out: 0,
    timing: null,
    trace: null,
    feedback: null,
    siblings: [id],
    created_at: "2026-11-23T10:00:00Z",
    finished_at: null,
    ...given,
  };
}

export function aChat(given: Partial<Chat> = {}): Chat {
  return {
    id: "c1",
    title: "Why is the sky blue?",
    model: null,
    system: null,
    parameters: {},
    folder: null,
    head: null,
    created_at: "2026-11-23T10:00:00Z",
    updated_at: "2026-11-23T10:00:00Z",
    ...given,
  };
}
