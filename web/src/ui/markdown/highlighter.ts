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
let nextId = 1;
const waiting = new Map<number, (spans: HighlightSpan[] | null) => void>();
const known = new Map<string, HighlightSpan[] | null>();
const KNOWN_LIMIT = 200;

/** The code as coloured spans, or null when its language is unknown or workers are not to be had. */
export async function highlight(code: string, language: string): Promise<HighlightSpan[] | null> {
  const key = `${language}\n${code}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const spans = await ask(code, language);
  // Rows come and go while scrolling; remembering what was coloured avoids a flash each time.
  if (known.size >= KNOWN_LIMIT) known.delete(known.keys().next().value ?? "");
  known.set(key, spans);
  return spans;
}

export function highlighted(code: string, language: string): HighlightSpan[] | null {
  return known.get(`${language}\n${code}`) ?? null;
}

function ask(code: string, language: string): Promise<HighlightSpan[] | null> {
  try {
    worker ??= start();
  } catch {
    return Promise.resolve(null);
  }
  const job: HighlightJob = { id: nextId++, code, language };
  return new Promise((resolve) => {
    waiting.set(job.id, resolve);
    worker?.postMessage(job);
  });
}

function start(): Worker {
  const trusted = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  const policy = trusted?.createPolicy("goblin#worker", {
    createScriptURL: (url) => {
      if (url !== workerUrl) throw new TypeError("not a script of this page");
      return url;
    },
  });
  const created = new Worker(policy ? policy.createScriptURL(workerUrl) : workerUrl, {
    type: "module",
  });
  created.addEventListener("message", ({ data }: MessageEvent<HighlightResult>) => {
    waiting.get(data.id)?.(data.spans);
    waiting.delete(data.id);
  });
  created.addEventListener("error", () => {
    for (const resolve of waiting.values()) resolve(null);
    waiting.clear();
  });
  return created;
}
