import type { Problem } from "@/api/types";

/** What an error means to the person in front of it: what happened, and what to do about it. */
export interface Remedy {
  title: string;
  detail: string;
  action: "retry" | "wait" | "choose-model" | "shorten" | "new-chat" | "reload" | "none";
  /** For "wait": how long the server asked for. */
  seconds?: number;
}

/** The server could not be reached at all; distinct from every answer it could give. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
  constructor(readonly address: string) {
    super(`No answer from ${address}`);
  }
}

/** The server answered with a problem+json (or something that should have been one). */
export class ProblemError extends Error {
  override name = "ProblemError";
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** Reads the problem of an error response; proxies answer with pages of their own, which count too. */
export function problemOf(status: number, body: unknown, retryAfter: string | null): Problem {
  const given = problemIn(body);
  const seconds = given.retry_after_seconds ?? retryAfterSeconds(retryAfter);
  return {
    type: "about:blank",
    title: given.title ?? `HTTP ${status}`,
    status,
    code: given.code ?? codeFor(status),
    detail: given.detail ?? `The server answered with HTTP ${status} and no explanation.`,
    param: given.param ?? null,
    request_id: given.request_id ?? "",
    ...(seconds === null ? {} : { retry_after_seconds: seconds }),
  };
}

/** Ours, or that of a path old clients know: `{"detail", "error": {"param", "code", …}}`. */
function problemIn(body: unknown): Partial<Problem> {
  if (typeof body !== "object" || body === null) return {};
  const { error, ...given } = body as Partial<Problem> & { error?: Partial<Problem> };
  if (typeof error !== "object" || error === null) return given;
  return { ...given, code: error.code ?? given.code, param: error.param ?? given.param ?? null };
}

function retryAfterSeconds(header: string | null): number | null {
  if (header === null) return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

function codeFor(status: number): Problem["code"] {
  if (status === 401) return "unauthorized";
  if (status === 403) return "forbidden";
  if (status === 404) return "not_found";
  if (status === 413) return "payload_too_large";
  if (status === 429) return "rate_limited";
  if (status === 502) return "upstream_failed";
  if (status === 503) return "unavailable";
  if (status === 504) return "deadline_exceeded";
  return status < 500 ? "invalid_request" : "internal";
}

export function remedyOf(error: unknown): Remedy {
  if (error instanceof ProblemError) return remedyOfProblem(error.problem);
  if (error instanceof UnreachableError) {
    return {
      title: "The server cannot be reached",
      detail: `Nothing answered at ${error.address}. Your text is kept; send it again when the server is back.`,
      action: "retry",
    };
  }
  return {
    title: "Something went wrong in the page",
    detail: "Reload the page. Your text is kept.",
    action: "reload",
  };
}

export function remedyOfProblem(problem: Problem): Remedy {
  const { detail } = problem;
  switch (problem.code) {
    case "rate_limited":
      return waitRemedy("Too many questions at once", problem);
    case "unavailable":
      return waitRemedy("The server is not ready", problem);
    case "insufficient_quota":
      return { title: "The budget is used up", detail, action: "choose-model" };
    case "no_provider":
      return { title: "No model can answer", detail, action: "retry" };
    case "model_not_found":
      return { title: "This model is not here", detail, action: "choose-model" };
    case "context_length_exceeded":
      return { title: "Too long for this model", detail, action: "shorten" };
    case "payload_too_large":
      return { title: "Too large to send", detail, action: "shorten" };
    case "upstream_failed":
      return { title: "The model stopped in the middle", detail, action: "retry" };
    case "upstream_rejected":
      return { title: "The model refused the request", detail, action: "choose-model" };
    case "deadline_exceeded":
    case "request_timeout":
      return { title: "This took too long", detail, action: "retry" };
    case "judge_unavailable":
      return { title: "The answer could not be checked", detail, action: "retry" };
    case "answer_rejected":
      return { title: "The answer was held back", detail, action: "retry" };
    case "unauthorized":
      return { title: "You are not signed in", detail, action: "none" };
    case "forbidden":
      return { title: "This is not allowed", detail, action: "none" };
    case "not_found":
      return { title: "This is not here any more", detail, action: "new-chat" };
    case "conflict":
      return { title: "This changed meanwhile", detail, action: "reload" };
    case "invalid_json":
    case "invalid_request":
      return { title: "The server did not accept this", detail, action: "none" };
    default:
      return { title: "The server failed", detail, action: "retry" };
  }
}

function waitRemedy(title: string, problem: Problem): Remedy {
  const seconds = problem.retry_after_seconds;
  if (seconds == null) return { title, detail: problem.detail, action: "retry" };
  return { title, detail: problem.detail, action: "wait", seconds };
}
