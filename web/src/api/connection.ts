import { create } from "zustand";
import { backoffSeconds } from "@/lib/backoff";
import { apiOrigin } from "./origin";

/**
 * Whether the server answers. Any call that gets no answer reports it here; then this asks by
 * itself, less and less often, until there is one again.
 */
interface Connection {
  down: boolean;
  /** When the next attempt is due, in epoch milliseconds; null while one is under way. */
  nextAttemptAt: number | null;
}

export const useConnection = create<Connection>(() => ({ down: false, nextAttemptAt: null }));

let attempts = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
const waiting = new Set<() => void>();

export function reportDown(): void {
  if (useConnection.getState().down) return;
  attempts = 0;
  useConnection.setState({ down: true });
  schedule();
}

export function reportUp(): void {
  if (!useConnection.getState().down) return;
  clearTimeout(timer);
  useConnection.setState({ down: false, nextAttemptAt: null });
  for (const resume of [...waiting]) resume();
  waiting.clear();
}

export async function tryNow(): Promise<void> {
  clearTimeout(timer);
  useConnection.setState({ nextAttemptAt: null });
  try {
    const response = await fetch(`${apiOrigin()}/api/status`, {
      signal: AbortSignal.timeout(8000),
    });
    // A gateway's page saying that the server is away is not the server.
    if (response.status === 502 || response.status === 504) throw new Error("gateway");
    reportUp();
  } catch {
    schedule();
  }
}

/** Resolves when the server answers again, or right away when it does. */
export function whenUp(signal: AbortSignal): Promise<void> {
  if (!useConnection.getState().down) return Promise.resolve();
  return new Promise((resolve) => {
    waiting.add(resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

export function onReconnect(resume: () => void): () => void {
  return useConnection.subscribe((now, before) => {
    if (before.down && !now.down) resume();
  });
}

function schedule(): void {
  const seconds = backoffSeconds(attempts++);
  useConnection.setState({ nextAttemptAt: Date.now() + seconds * 1000 });
  timer = setTimeout(tryNow, seconds * 1000);
}
