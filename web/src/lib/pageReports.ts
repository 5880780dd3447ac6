/**
 * What the page may tell of itself, in the closed shape of POST /api/telemetry. The server tells an error's own words on
 * only where they are a browser's; here they are cut to what it takes.
 */
export type PageName = "new_chat" | "chat" | "account" | "admin" | "entrance" | "other";

export type EventName =
  | "page_opened"
  | "question_asked"
  | "question_edited"
  | "answer_regenerated"
  | "answer_stopped"
  | "feedback_given";

export interface PageError {
  kind: string;
  message: string;
  stack: string;
  page: PageName;
}

/** What an operator wants to be told, as /config.json says it. */
export interface Wanted {
  errors: boolean;
  events: boolean;
  /** The share of requests that begin a recorded trace, 0 to 1. */
  traces: number;
}

export const nothingWanted: Wanted = { errors: false, events: false, traces: 0 };

/** Reads the part of /config.json; what is not understood is not wanted. */
export function wantedIn(config: unknown): Wanted {
  const given = (config as { telemetry?: Partial<Wanted> } | null)?.telemetry;
  if (typeof given !== "object" || given === null) return nothingWanted;
  const share = typeof given.traces === "number" ? given.traces : 0;
  return {
    errors: given.errors === true,
    events: given.events === true,
    traces: Math.min(1, Math.max(0, share)),
  };
}

const entrances = ["setup", "invitation", "reset", "register", "forgot", "verify"];

/** The place an address is, without what it names there. */
export function pageName(path: string): PageName {
  const first = path.split("/")[1] ?? "";
  if (first === "") return "new_chat";
  if (first === "c") return "chat";
  if (first === "account" || first === "admin") return first;
  return entrances.includes(first) ? "entrance" : "other";
}

/** Errors that say how the server or the line is, not that the page is broken. */
const expected = ["AbortError", "ProblemError", "UnreachableError", "PasskeyError"];

/** An error as it is reported; null for one that is no fault of the page. */
export function pageError(error: unknown, path: string): PageError | null {
  const { name, message, stack } = error instanceof Error ? error : new Error("not an error");
  if (expected.includes(name)) return null;
  return {
    kind: name.slice(0, 64),
    message: message.slice(0, 1000),
    stack: (stack ?? "").slice(0, 4000),
    page: pageName(path),
  };
}

const hex = (bytes: Uint8Array) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** A random UUID. `crypto.randomUUID` is there only over TLS, which a private network may not have. */
export function randomId(random: (bytes: Uint8Array) => Uint8Array): string {
  const bytes = random(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const text = hex(bytes);
  const cuts = [0, 8, 12, 16, 20, 32];
  return cuts
    .slice(1)
    .map((end, at) => text.slice(cuts[at], end))
    .join("-");
}

/** The beginning of a trace (W3C Trace Context): which is recorded says the page, for `share` of all. */
export function traceparent(
  share: number,
  random: (bytes: Uint8Array) => Uint8Array,
  chance: number,
): string {
  const ids = hex(random(new Uint8Array(24)));
  return `00-${ids.slice(0, 32)}-${ids.slice(32)}-${chance < share ? "01" : "00"}`;
}
