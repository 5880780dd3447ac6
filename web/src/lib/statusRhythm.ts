import type { Status } from "@/api/types";
import { backoffSeconds } from "./backoff";

/** How often the page looks while all is well, in milliseconds. A hidden page does not look at all. */
export const CALM_MS = 10_000;
/** The longest it waits to look again while something is not well. */
const LONGEST_MS = 15_000;
/** Loading ends soon, and its progress is shown. */
const LOADING_MS = 1500;

/** What the page saw, and how often it has seen the same since. */
export interface Rhythm {
  seen: string;
  times: number;
}

export const atStart: Rhythm = { seen: "", times: 0 };

export function seenAgain(rhythm: Rhythm, status: Status): Rhythm {
  const seen = [
    ...status.upstreams.map((upstream) => `${upstream.id} ${upstream.state}`),
    ...status.models.map((model) => `${model.id} ${model.state}`),
  ].join("\n");
  return { seen, times: seen === rhythm.seen ? rhythm.times + 1 : 0 };
}

/** Milliseconds until the page looks again: soon after a change, less and less often while nothing moves. */
export function nextLookMs(rhythm: Rhythm, status: Status | undefined): number {
  if (!status) return 3000;
  const loading =
    status.models.some((model) => model.state === "loading") ||
    status.upstreams.some((upstream) => upstream.state === "loading") ||
    status.tiers.some((tier) => tier.state === "starting");
  const well =
    status.upstreams.every((upstream) => upstream.state === "up") &&
    status.tiers.every((tier) => tier.state === "ok") &&
    status.models.length > 0;
  if (loading && rhythm.times < 40) return LOADING_MS;
  if (well && !loading) return CALM_MS;
  return Math.min(LONGEST_MS, 1.5 * 1000 * backoffSeconds(1 + Math.floor(rhythm.times / 3)));
}
