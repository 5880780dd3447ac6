import {
  type EventName,
  nothingWanted,
  type PageError,
  pageError,
  pageName,
  randomId,
  traceparent,
  type Wanted,
} from "@/lib/pageReports";
import { apiOrigin } from "./origin";

// What the page tells of itself: to its own server, and only where /config.json says that somebody wants it. The
// server takes it in a closed shape and tells it on; the page never talks to anybody else.

/** How long is collected for one report. */
const collectMs = 5000;
/** Most errors in one visit: the first ones say what is broken. */
const mostErrors = 10;
/** What one report takes. */
const mostInOne = { errors: 5, events: 20 };

interface PageEvent {
  name: EventName;
  page: ReturnType<typeof pageName>;
}

let wanted: Wanted = nothingWanted;
let visit = "";
let errors: PageError[] = [];
let events: PageEvent[] = [];
let seen = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;

const random = (bytes: Uint8Array) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>);

/** Begins to listen, where somebody wants to be told. */
export function startTelemetry(asked: Wanted): void {
  wanted = asked;
  visit = randomId(random);
  [errors, events, seen] = [[], [], new Set()];
  if (!wanted.errors && !wanted.events) return;
  window.addEventListener("error", (event) => reportError(event.error));
  window.addEventListener("unhandledrejection", (event) => reportError(event.reason));
  window.addEventListener("pagehide", flush);
  reportEvent("page_opened");
}

/** Tells of an error, each kind of it once. */
export function reportError(error: unknown): void {
  const told = wanted.errors ? pageError(error, window.location.pathname) : null;
  if (told === null) return;
  const same = `${told.kind} ${told.message} ${told.stack}`;
  if (seen.has(same) || seen.size >= mostErrors) return;
  seen.add(same);
  errors.push(told);
  later();
}

/** Tells that something was done; never with what or in which chat. */
export function reportEvent(name: EventName): void {
  if (!wanted.events) return;
  events.push({ name, page: pageName(window.location.pathname) });
  if (events.length >= mostInOne.events) flush();
  else later();
}

/** Headers of a request that begins a trace, where traces are recorded. */
export function traceHeaders(): Record<string, string> {
  if (wanted.traces <= 0) return {};
  return { traceparent: traceparent(wanted.traces, random, Math.random()) };
}

function later(): void {
  timer ??= setTimeout(flush, collectMs);
}

function flush(): void {
  clearTimeout(timer);
  timer = undefined;
  const body = {
    visit,
    errors: errors.splice(0, mostInOne.errors),
    events: events.splice(0, mostInOne.events),
  };
  if (body.errors.length + body.events.length === 0) return;
  // A report that does not arrive is not told of: that would be one more.
  fetch(`${apiOrigin()}/api/telemetry`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    credentials: apiOrigin() ? "include" : "same-origin",
    keepalive: true,
  }).catch(() => {});
  if (errors.length + events.length > 0) later();
}
