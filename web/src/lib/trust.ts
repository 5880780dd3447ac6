import type { Trace, TraceSummary, Turn, Verdict } from "@/api/types";
import { duration, modelName, providerName } from "./format";
import { placeOf } from "./place";

// Traces in words. Nothing here claims more than the trace says: a number that was not fitted to
// labelled answers is called "not calibrated", and an answer nobody capable looked at is said to be.

export const percent = (share: number): string => `${Math.round(share * 100)}%`;

/** Local is free, a model without a price is unknown; small sums are not rounded to nothing. */
export function money(usd: number | null | undefined): string {
  if (usd == null) return "cost unknown";
  if (usd === 0) return "no cost";
  return usd < 0.01 ? `$${usd.toPrecision(2)}` : `$${usd.toFixed(2)}`;
}

/** The quiet line under an answer: who, where, how long, how much, what it cost. */
export function trustFacts(turn: Turn, summary: TraceSummary): string[] {
  const facts: string[] = [];
  const model = summary.model ?? turn.model;
  if (model) {
    facts.push(modelName(model));
    if (typeof turn.local === "boolean") facts.push(placeOf(providerName(model), turn.local));
    else if (summary.left_machine) facts.push("left your machines");
  }
  if (turn.timing) facts.push(duration(turn.timing.total_ms));
  if (turn.usage) {
    const tokens = turn.usage.total_tokens;
    facts.push(`${tokens.toLocaleString("en")} ${tokens === 1 ? "token" : "tokens"}`);
  }
  facts.push(money(summary.cost_usd));
  return facts;
}

/** How sure the answer is, in a few words, and whether a reader should look twice. */
export function sureness(summary: TraceSummary): { words: string; doubt: boolean } {
  const { confidence, outcome, refused_by } = summary;
  if (refused_by) return { words: `refused: ${ruleWords(refused_by)}`, doubt: true };
  if (summary.verify === "off") return { words: "not checked", doubt: false };
  const unchecked = summary.checked ? "" : "not checked by a capable model";
  if (!confidence) return { words: unchecked || "nobody judged it", doubt: false };
  const words = [
    `${percent(confidence.value)} sure`,
    confidence.calibrated ? "" : "not calibrated",
    confidence.self_judged ? "judged itself" : "",
    unchecked,
  ].filter((word) => word !== "");
  return { words: words.join(", "), doubt: outcome === "low_confidence" };
}

const categories: Record<string, string> = {
  harm: "it could do harm",
  medical: "medical advice stated as certain",
  legal: "legal advice stated as certain",
  financial: "financial advice stated as certain",
  self_harm: "self-harm",
  privacy: "somebody's privacy",
  injection: "text that gives orders to the model",
  hallucination: "made-up particulars",
  hallucinated_specifics: "made-up particulars",
  overconfidence: "more certain than it can be",
  secrets: "a secret, such as a key or a password",
  pii: "personal data",
  critical: "it was too unsure, and no better model was left to ask",
};

/** The rule an answer was refused by, as people say it; a rule of the operator's own keeps its name. */
export function ruleWords(rule: string): string {
  const last = rule.split(/[:/.]/).at(-1) ?? rule;
  return categories[last] ?? (rule.replaceAll("_", " ") || "a rule that was not named");
}

export const outcomeWords: Record<TraceSummary["outcome"], string> = {
  running: "still answering",
  accepted: "accepted",
  low_confidence: "delivered, though not sure",
  escalated: "a better model was asked",
  rejected: "refused",
  failed: "failed",
  cancelled: "stopped",
};

export const authorityWords: Record<Verdict["authority"], string> = {
  record: "authority by its record",
  grant: "granted, not measured",
  none: "no authority: shown, changes nothing",
};

const backends: Record<string, string> = {
  native: "asked as a typed question",
  readout: "read from one token",
  constrained: "one written word",
};
export const backendWords = (backend: string): string => backends[backend] ?? backend;

/** The figure a verdict is compared with. */
export const thresholdOf = (trace: Trace, verdict: Verdict): number =>
  verdict.concern === "safety" ? trace.thresholds.safety : trace.thresholds.confidence;

/** What a verdict is about: the question, a part of the answer, or all of it. */
export function aboutWords(about: Verdict["about"]): string {
  if (about.part === "prompt") return "the question";
  if (about.part === "answer") return "the answer";
  return `part ${about.window + 1}`;
}

/** Why a verdict is none. */
export function noVerdict(verdict: Verdict): string {
  if (verdict.failed) return verdict.failed;
  return `the judge put only ${percent(verdict.mass)} on the answers it was offered`;
}

/** When the last thing known of it happened, in milliseconds after the question. */
export function totalMs(trace: Trace): number {
  const ends = trace.steps.map((step) => step.ended_ms ?? step.first_token_ms ?? step.started_ms);
  return Math.max(1, ...ends);
}

export interface Span {
  /** Share of the whole time, 0–1. */
  start: number;
  first: number;
  end: number;
}

/** Where an attempt lies on the time axis: from its start over its first word to its end. */
export function spanOf(step: Trace["steps"][number], total: number): Span {
  const share = (ms: number) => Math.min(1, Math.max(0, ms / total));
  const start = share(step.started_ms);
  const end = Math.max(start, share(step.ended_ms ?? total));
  const first = Math.min(end, Math.max(start, share(step.first_token_ms ?? total)));
  return { start, first, end };
}

/**
 * The attempt whose answer was delivered; where none was, the last one. An earlier answer may be delivered after all,
 * when a better model did no better.
 */
export function answeringStep(trace: Trace): Trace["steps"][number] | undefined {
  const given = trace.steps.filter(
    ({ outcome }) => outcome === "accepted" || outcome === "low_confidence",
  );
  return (given.length > 0 ? given : trace.steps).at(-1);
}

/** One sentence for who opens the trace. */
export function story(trace: Trace): string {
  const refused = trace.safety?.refused_by;
  const last = answeringStep(trace);
  if (refused) return `It was refused: ${ruleWords(refused)}.`;
  if (!last) return "Nobody was asked.";
  const by = modelName(last.model);
  const first = trace.steps[0];
  const after =
    first && trace.steps.length > 1
      ? `${modelName(first.model)} answered first${trace.steps.length > 2 ? ", then others" : ""}. `
      : "";
  switch (last.outcome) {
    case "accepted":
      return `${after}The answer of ${by} was accepted.`;
    case "low_confidence":
      return `${after}The answer of ${by} was delivered though it is not sure, because no better model was left to ask.`;
    case "running":
      return `${after}${by} is answering.`;
    case "cancelled":
      return `${after}${by} was stopped.`;
    default:
      return `${after}${by} ${last.outcome === "failed" ? "failed" : "was refused"}.`;
  }
}
