import type { HighlightSpan } from "@/lib/markdown/highlightSpans";
import type { HighlightJob, HighlightResult } from "./highlight.worker";
import workerUrl from "./highlight.worker?worker&url";

/** Scripts of a worker need a Trusted Types policy; this one allows exactly our own worker. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL: (url: string) => string };
}

let worker: Worker | null = null;
let policy: ReturnType<TrustedTypes["createPolicy"]> | undefined;
let nextId = 1;
/** Workers that died in a row, without one answer between them. */
let deaths = 0;
const DEATHS_LIMIT = 3;
/** Undefined stands for a worker that died, which says nothing about the code. */
type Answer = HighlightSpan[] | null | undefined;
const waiting = new Map<number, (answer: Answer) => void>();
const known = new Map<string, HighlightSpan[] | null>();
const KNOWN_LIMIT = 200;

/** The code as coloured spans, or null when its language is unknown or workers are not to be had. */
export async function highlight(code: string, language: string): Promise<HighlightSpan[] | null> {
  const key = `${language}\n${code}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const spans = await ask(code, language);
  if (spans === undefined) return null;
  // Rows come and go while scrolling; remembering what was coloured avoids a flash each time.
  if (known.size >= KNOWN_LIMIT) known.delete(known.keys().next().value ?? "");
  known.set(key, spans);
  return spans;
}

export function highlighted(code: string, language: string): HighlightSpan[] | null {
  return known.get(`${language}\n${code}`) ?? null;
}

function ask(code: string, language: string): Promise<Answer> {
  if (deaths >= DEATHS_LIMIT) return Promise.resolve(undefined);
  let asked: Worker;
  try {
    asked = worker ??= start();
  } catch {
    deaths++;
    return Promise.resolve(undefined);
  }
  const job: HighlightJob = { id: nextId++, code, language };
  return new Promise((resolve) => {
    waiting.set(job.id, resolve);
    asked.postMessage(job);
  });
}

function start(): Worker {
  const created = new Worker(allowed(workerUrl), { type: "module" });
  created.addEventListener("message", ({ data }: MessageEvent<HighlightResult>) => {
    deaths = 0;
    waiting.get(data.id)?.(data.spans);
    waiting.delete(data.id);
  });
  created.addEventListener("error", () => {
    // What it may still say late must not be taken for the end of the worker after it.
    if (worker !== created) return;
    deaths++;
    worker = null;
    created.terminate();
    for (const resolve of waiting.values()) resolve(undefined);
    waiting.clear();
  });
  return created;
}

/** The address as the browser wants it where it enforces Trusted Types: each policy can be made once only. */
function allowed(url: string): string {
  const trusted = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  policy ??= trusted?.createPolicy("goblin#worker", {
    createScriptURL: (given) => {
      if (given !== workerUrl) throw new TypeError("not a script of this page");
      return given;
    },
  });
  return policy ? policy.createScriptURL(url) : url;
}
