import type { Step, Trace, TraceSummary, Verdict } from "@/api/types";

export function aVerdict(given: Partial<Verdict> = {}): Verdict {
  return {
    concern: "confidence",
    about: { part: "answer" },
    question: "correct_and_complete",
    probability: 0.81,
    mass: 0.97,
    model: "ollama/phi3:3.8b",
    backend: "readout",
    authority: "grant",
    self_judged: false,
    question_hash: "3f2a",
    ms: 18,
    cached_tokens: 120,
    evaluated_tokens: 40,
    question_tokens: 12,
    ...given,
  };
}

export function aStep(given: Partial<Step> = {}): Step {
  return {
    model: "ollama/gemma:2b",
    provider: "ollama",
    local: true,
    started_ms: 0,
    first_token_ms: 200,
    ended_ms: 1200,
    prompt_tokens: 20,
    tokens: 52,
    cost_usd: 0,
    verdicts: [],
    outcome: "accepted",
    ...given,
  };
}

/** A trace as the server would send it: one small model answered and was believed. */
export function aTrace(given: Partial<Trace> = {}): Trace {
  return {
    trace_id: "01931234-0000-7000-8000-00000000000f",
    created_at_ms: 1_795_471_200_000,
    model: "goblin",
    verify: "hold",
    thresholds: { safety: 0.7, confidence: 0.65, critical: 0.4 },
    route: {
      policy: "p1",
      intent: "explain",
      intent_confidence: 0.91,
      runner_up: "chat",
      language: "eng",
      role: "top",
      features: [{ name: "words:why", value: 1.2 }],
      candidates: [
        {
          model: "ollama/gemma:2b",
          role: "quick",
          local: true,
          rung: 0,
          quality: 0.6,
          cost_usd: 0,
          first_token_ms: 200,
        },
        {
          model: "openai/large",
          local: false,
          quality: 0.9,
          cost_usd: 0.002,
          first_token_ms: null,
          passed_over: "local only",
        },
      ],
    },
    steps: [aStep({ verdicts: [aVerdict()] })],
    prompt_verdicts: [],
    confidence: {
      value: 0.81,
      calibrated: false,
      method: "judge",
      authority: "grant",
      self_judged: false,
    },
    safety: null,
    notes: [],
    cost_usd: 0,
    would_have_cost_usd: 0.002,
    left_machine: false,
    sent: [],
    cache: "miss",
    ...given,
  };
}

/** The same in one line. */
export function aSummary(given: Partial<TraceSummary> = {}): TraceSummary {
  const { trace_id, created_at_ms, verify, confidence, cost_usd, left_machine } = aTrace();
  return {
    trace_id,
    created_at_ms,
    asked_for: "goblin",
    model: "ollama/gemma:2b",
    outcome: "accepted",
    verify,
    steps: 1,
    checked: true,
    confidence: confidence ?? null,
    refused_by: null,
    cost_usd: cost_usd ?? null,
    left_machine,
    ...given,
  };
}
