import type { DryRun } from "@/api/types";
import { duration, modelName, providerName } from "./format";
import { placeOf } from "./place";
import { money } from "./trust";

export interface Preview {
  /** Who would answer, where, and for how much. */
  facts: string[];
  /** Where there is room: what the question is taken for, how long it takes, and what comes next. */
  more: string[];
  /** What becomes of the question's privacy. */
  privacy: string;
  /** Would anything leave the machines, at once or on the way up the ladder? */
  leaves: boolean;
}

/** What sending the question now would mean; null when nobody could answer it. */
export function previewOf(run: DryRun): Preview | null {
  const { first, route } = run;
  if (first == null) return null;
  const local = run.local !== false;
  const rungs = route.candidates
    .filter(({ rung }) => rung != null)
    .sort((a, b) => (a.rung ?? 0) - (b.rung ?? 0));
  const next = rungs.find(({ model }) => model !== first);
  const most = run.most_cost_usd;
  const facts = [
    `${modelName(first)} answers, ${placeOf(providerName(first), local)}`,
    money(run.expected_cost_usd),
  ];
  const more = [
    route.intent ? `reads as ${route.intent}` : "",
    run.first_token_ms == null ? "" : `first word in about ${duration(run.first_token_ms)}`,
    next ? `then ${modelName(next.model)} if that is not sure enough` : "",
    most != null && most > (run.expected_cost_usd ?? 0) ? `${money(most)} at the most` : "",
  ].filter((fact) => fact !== "");
  if (!local) return { facts, more, privacy: "leaves your machines", leaves: true };
  if (!run.may_leave_machine)
    return { facts, more, privacy: "stays on your machines", leaves: false };
  const clouds = rungs.filter((rung) => !rung.local).map(({ model }) => providerName(model));
  const to = clouds.length > 0 ? `to ${[...new Set(clouds)].join(", ")} ` : "away ";
  return { facts, more, privacy: `may be sent ${to}if a better answer is needed`, leaves: true };
}
