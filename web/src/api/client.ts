import createClient, { type Client } from "openapi-fetch";
import { ProblemError, problemOf, UnreachableError } from "@/lib/problems";
import { reportDown, reportUp } from "./connection";
import { apiAddress, apiOrigin } from "./origin";
import type { paths } from "./schema";
import { reportRefused } from "./signIn";
import { reportEvent } from "./telemetry";
import type {
  Chat,
  ChatPage,
  ChatPatch,
  DryRun,
  Feedback,
  FeedbackChange,
  NewChat,
  Status,
  Trace,
  Turn,
  TurnPage,
} from "./types";

/**
 * Every request of the page: reports whether the server answers and whether the sign-in still holds, and turns errors
 * into problems.
 */
export async function request(input: string | Request, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(input, {
      credentials: apiOrigin() ? "include" : "same-origin",
      ...init,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    reportDown();
    throw new UnreachableError(apiAddress());
  }
  reportUp();
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  reportRefused(response.status, typeof input === "string" ? input : input.url);
  throw new ProblemError(problemOf(response.status, body, response.headers.get("retry-after")));
}

let client: Client<paths> | undefined;

export function api(): Client<paths> {
  // Made at the first call, since the origin is known only at run time.
  client ??= createClient<paths>({ baseUrl: apiOrigin(), fetch: (input) => request(input) });
  return client;
}

/** What a call of `api()` brought. */
export async function data<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T;
}

export const getStatus = (): Promise<Status> => data(api().GET("/api/status"));

export const listChats = (cursor?: string): Promise<ChatPage> =>
  data(
    api().GET("/api/chats", { params: { query: cursor ? { cursor, limit: 50 } : { limit: 50 } } }),
  );

export const createChat = (body: NewChat): Promise<Chat> =>
  data(api().POST("/api/chats", { body }));

export const getChat = (id: string): Promise<Chat> =>
  data(api().GET("/api/chats/{id}", { params: { path: { id } } }));

export const updateChat = (id: string, body: ChatPatch): Promise<Chat> =>
  data(api().PATCH("/api/chats/{id}", { params: { path: { id } }, body }));

export async function deleteChat(id: string): Promise<void> {
  await api().DELETE("/api/chats/{id}", { params: { path: { id } } });
}

export const restoreChat = (id: string): Promise<Chat> =>
  data(api().POST("/api/chats/{id}/restore", { params: { path: { id } } }));

export const listTurns = (id: string, before?: string): Promise<TurnPage> =>
  data(
    api().GET("/api/chats/{id}/turns", {
      params: { path: { id }, query: before ? { before, limit: 30 } : { limit: 30 } },
    }),
  );

export function stopTurn(id: string): Promise<Turn> {
  reportEvent("answer_stopped");
  return data(api().POST("/api/turns/{id}/stop", { params: { path: { id } } }));
}

export const getTurnTrace = (id: string): Promise<Trace> =>
  data(api().GET("/api/turns/{id}/trace", { params: { path: { id } } }));

export function updateFeedback(id: string, body: FeedbackChange): Promise<Feedback> {
  reportEvent("feedback_given");
  return data(api().POST("/api/turns/{id}/feedback", { params: { path: { id } }, body }));
}

/** Stands for pictures whose bytes do not matter to where a question goes. */
const anyPicture = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } };

export const previewRoute = (
  question: string,
  model: string | null,
  pictures: boolean,
  signal: AbortSignal,
): Promise<DryRun> => {
  const content = pictures ? [{ type: "text", text: question }, anyPicture] : question;
  const body = { model: model ?? "goblin", messages: [{ role: "user", content }] };
  return data(api().POST("/api/route", { body, signal }));
};
