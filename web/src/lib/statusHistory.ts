import type { Check, Outcomes, Status } from "@/api/types";

/** How everything was at one look. */
export interface Moment {
  /** Milliseconds since 1970. */
  at: number;
  /** Checks and model servers that are not well. */
  unwell: number;
  /** Requests that wait for a model. */
  waiting: number;
  /** The longest wait that is predicted for whoever asks now, in milliseconds. */
  waitMs: number;
  /** What came of requests since the server began; null where that is not told. */
  outcomes: Outcomes | null;
}

/** Looks that are kept: ten minutes, at one in five seconds. */
export const keptMoments = 120;

export function momentOf(at: number, checks: Check[], status: Status | undefined): Moment {
  const models = status?.models ?? [];
  const ill = (status?.upstreams ?? []).filter(({ state }) => state !== "up" && state !== "slow");
  return {
    at,
    unwell: checks.filter(({ state }) => state !== "ok").length + ill.length,
    waiting: models.reduce((sum, model) => sum + model.queued, 0),
    waitMs: Math.max(0, ...models.map((model) => model.predicted_wait_ms ?? 0)),
    outcomes: status?.outcomes ?? null,
  };
}

/** How often something came, a minute, between each look and the one before. A server that began anew counts from nothing. */
export function perMinute(moments: Moment[], which: keyof Outcomes): number[] {
  return moments.map(({ at, outcomes }, index) => {
    const before = moments[index - 1];
    if (!before?.outcomes || !outcomes || at <= before.at) return 0;
    const begun = outcomes.requests < before.outcomes.requests ? 0 : before.outcomes[which];
    return ((outcomes[which] - begun) * 60_000) / (at - before.at);
  });
}

/**
 * The looks so far and one more; the oldest go. One at the same time takes the place of the last, but for what came of
 * requests: that belongs to the time it was first told at, or the next look would see nothing come.
 */
export function withMoment(moments: Moment[], moment: Moment): Moment[] {
  const last = moments.at(-1);
  if (last?.at !== moment.at) return [...moments, moment].slice(-keptMoments);
  return [...moments.slice(0, -1), { ...moment, outcomes: last.outcomes ?? moment.outcomes }];
}
