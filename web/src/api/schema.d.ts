// Written by hand from the agreed wire until the server writes openapi.json; then `npm run api`
// replaces it. Same shape as openapi-typescript's output.

export interface components {
  schemas: {
    Chat: {
      id: string;
      title: string | null;
      model: string | null;
      system: string | null;
      parameters: components["schemas"]["Parameters"];
      folder: string | null;
      head: string | null;
      created_at: string;
      updated_at: string;
    };
    Parameters: {
      temperature?: number;
      top_p?: number;
      top_k?: number;
      min_p?: number;
      max_tokens?: number;
      seed?: number;
      stop?: string[];
      presence_penalty?: number;
      frequency_penalty?: number;
    };
    Problem: {
      type: string;
      title: string;
      status: number;
      code:
        | "invalid_json"
        | "invalid_request"
        | "unauthorized"
        | "forbidden"
        | "not_found"
        | "model_not_found"
        | "conflict"
        | "payload_too_large"
        | "context_length_exceeded"
        | "rate_limited"
        | "insufficient_quota"
        | "answer_rejected"
        | "judge_unavailable"
        | "upstream_failed"
        | "no_provider"
        | "deadline_exceeded"
        | "unavailable"
        | "upstream_rejected"
        | "request_timeout"
        | "internal";
      detail: string;
      param?: string | null;
      request_id: string;
      retry_after_seconds?: number;
    };
    Usage: {
      prompt_tokens: number;
      completion_tokens: number;
      total_tokens: number;
      cached_tokens: number;
    };
    Timing: { first_token_ms: number; total_ms: number };
    Turn: {
      id: string;
      chat_id: string;
      parent: string | null;
      content: string;
      answer: string;
      reasoning: string | null;
      status: "streaming" | "complete" | "stopped" | "incomplete" | "failed";
      finish_reason: "stop" | "length" | "tool_calls" | "content_filter" | null;
      model: string | null;
      local: boolean | null;
      error: components["schemas"]["Problem"] | null;
      usage: components["schemas"]["Usage"] | null;
      left_out: number;
      timing: components["schemas"]["Timing"] | null;
      siblings: string[];
      created_at: string;
      finished_at: string | null;
    };
    ChatPage: { items: components["schemas"]["Chat"][]; next_cursor: string | null };
    TurnPage: { items: components["schemas"]["Turn"][]; has_more: boolean };
    NewChat: {
      title?: string | null;
      model?: string | null;
      system?: string | null;
      parameters?: components["schemas"]["Parameters"];
      folder?: string | null;
    };
    ChatPatch: {
      title?: string | null;
      model?: string | null;
      system?: string | null;
      parameters?: components["schemas"]["Parameters"] | null;
      folder?: string | null;
      head?: string;
    };
    NewTurn: { content: string; parent?: string | null; model?: string | null };
    Status: {
      version: string;
      mode: "local" | "serve";
      default_model: string | null;
      tiers: {
        name: string;
        state: "ok" | "starting" | "degraded" | "down";
        detail: string;
        fix: string | null;
      }[];
      models: {
        id: string;
        provider: string;
        local: boolean;
        context_window: number | null;
        state: "loaded" | "loading" | "available" | "down";
        capabilities: string[];
        starter: boolean;
        size_bytes: number | null;
        parameters: string | null;
      }[];
      suggestion: { model: string; reason: string; command: string } | null;
      no_model_help: string | null;
    };
  };
}

type Json<T> = { content: { "application/json": T } };
type Failure = { content: { "application/problem+json": components["schemas"]["Problem"] } };
type Answers<T> = { 200: Json<T>; default: Failure };
type Id = { path: { id: string } };
type Bodiless = { requestBody?: never };

export interface paths {
  "/api/chats": {
    get: {
      parameters: { query?: { cursor?: string; limit?: number } };
      responses: Answers<components["schemas"]["ChatPage"]>;
    };
    post: {
      requestBody: Json<components["schemas"]["NewChat"]>;
      responses: { 201: Json<components["schemas"]["Chat"]>; default: Failure };
    };
  };
  "/api/chats/{id}": {
    get: { parameters: Id; responses: Answers<components["schemas"]["Chat"]> };
    patch: {
      parameters: Id;
      requestBody: Json<components["schemas"]["ChatPatch"]>;
      responses: Answers<components["schemas"]["Chat"]>;
    };
    delete: {
      parameters: Id;
      responses: { 204: { content?: never }; default: Failure };
    };
  };
  "/api/chats/{id}/restore": {
    post: Bodiless & { parameters: Id; responses: Answers<components["schemas"]["Chat"]> };
  };
  "/api/chats/{id}/turns": {
    get: {
      parameters: Id & { query?: { before?: string; limit?: number } };
      responses: Answers<components["schemas"]["TurnPage"]>;
    };
  };
  "/api/turns/{id}": {
    get: { parameters: Id; responses: Answers<components["schemas"]["Turn"]> };
  };
  "/api/turns/{id}/stop": {
    post: Bodiless & { parameters: Id; responses: Answers<components["schemas"]["Turn"]> };
  };
  "/api/status": { get: { responses: Answers<components["schemas"]["Status"]> } };
}
