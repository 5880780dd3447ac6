// Trust with nothing played: a real Ollama with two models, a model tier and a backend, each a process of its own. One
// model answers, the other judges, and `goblin trace show` tells what came of it.
//
// Both models are far too small to judge anything, so who may judge is granted, and what follows from a verdict is
// brought about by thresholds: a low one everything reaches, a high one nothing does. What is shown is that verdicts are
// read, that they act, and what is then seen and kept; not that they are right.
//
//   GOBLIN_KEEP_TRACES  a file the three traces are written to, as `goblin trace show` prints them
import assert from "node:assert/strict";
import { appendFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { given, goblinPrints, startBackend, startModels } from "../lib/goblin.mjs";
import { ollamaModel, secondModel, startOllama } from "../lib/ollama.mjs";

const skip = given ? "GOBLIN_URL is one server; this needs three" : false;
const kept = process.env.GOBLIN_KEEP_TRACES;
// The second model answers first, the starter judges it, and is asked when that is not good enough.
const roster = {
  GOBLIN_ROSTER__QUICK: secondModel,
  GOBLIN_ROSTER__CHAT: secondModel,
  GOBLIN_ROSTER__REASONING: ollamaModel,
  GOBLIN_ROSTER__TOP: ollamaModel,
  GOBLIN_ROSTER__CODE: ollamaModel,
  GOBLIN_ROSTER__SAFETY: ollamaModel,
  GOBLIN_ROSTER__CONFIDENCE: ollamaModel,
  GOBLIN_TRUST__CATEGORIES: "harm,privacy,medical",
};
let ollama;
let models;

before(async () => {
  if (skip) return;
  if (kept) writeFileSync(kept, "");
  ollama = await startOllama({ second: true });
  models = await startModels(ollama);
});
after(async () => {
  await models?.stop();
  await ollama?.stop();
});

/** Every chunk of a streamed answer to a client that takes superseding and retracting. */
async function streamed(goblin, content) {
  const response = await fetch(`${goblin.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "goblin",
      stream: true,
      temperature: 0,
      // Shorter than a window: of three kinds of harm such a judge chooses one with too little certainty to be heard.
      max_tokens: 40,
      messages: [{ role: "user", content }],
      goblin: { events: true },
    }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const data = text.split("\n").filter((line) => line.startsWith("data: "));
  assert.equal(data.at(-1), "data: [DONE]");
  return data.slice(0, -1).map((line) => JSON.parse(line.slice(6)));
}

const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");
const traceOf = (chunks) => chunks.findLast((chunk) => chunk.goblin?.trace_id)?.goblin;

/** Asks a backend with these thresholds, and has `goblin trace show` tell the answer's trace. */
async function asked(name, thresholds, content, look) {
  const goblin = await startBackend(models, { ...roster, ...thresholds });
  try {
    const chunks = await streamed(goblin, content);
    const trace = traceOf(chunks);
    assert.ok(trace, "the last chunk has the trace");
    const told = goblinPrints(["trace", "show", trace.trace_id, "--url", goblin.url]);
    if (kept) {
      const settings = { ...roster, ...thresholds };
      const lines = Object.entries(settings).map(([key, value]) => `  ${key}=${value}`);
      appendFileSync(kept, `== ${name}\n\n${lines.join("\n")}\n\n${told}\n`);
    }
    look({ chunks, trace, told });
    const stored = await goblin.api.get(`/v1/traces/${trace.trace_id}`);
    assert.deepEqual(stored.steps, trace.steps, "what was kept is what was said");
  } finally {
    await goblin.stop();
  }
}

const verdicts = (trace) => [...trace.prompt_verdicts, ...trace.steps.flatMap((s) => s.verdicts)];

/** Every verdict was read as a probability off the judge, which may act because it was granted. */
function wasJudged(trace, told) {
  assert.ok(trace.prompt_verdicts.length > 0, told);
  for (const verdict of trace.prompt_verdicts) {
    assert.ok(verdict.model.endsWith(ollamaModel), verdict.model);
    assert.equal(verdict.backend, "readout");
    assert.equal(verdict.authority, "grant");
    assert.ok(verdict.mass >= 0.5, `${verdict.mass} of the probability is on yes and no`);
  }
  assert.match(told, /granted, not measured/);
}

test("an answer both verdicts accept is shown and marked accepted", { skip }, async () => {
  const lenient = {
    SAFETY_THRESHOLD: "0.01",
    CONFIDENCE_THRESHOLD: "0.01",
    CRITICAL_THRESHOLD: "0",
  };
  await asked("accepted", lenient, "Name three fruits.", ({ chunks, trace, told }) => {
    wasJudged(trace, told);
    const [step] = trace.steps;
    assert.equal(trace.steps.length, 1, told);
    assert.ok(step.model.endsWith(secondModel), step.model);
    assert.equal(step.outcome, "accepted", told);
    const sure = step.verdicts.find((verdict) => verdict.concern === "confidence");
    assert.ok(sure.probability >= 0.01 && !sure.self_judged, told);
    assert.equal(trace.confidence.calibrated, false);
    assert.match(textOf(chunks), /\S/);
    assert.match(told, /accepted/);
  });
});

test("an answer the judge is not sure of is put aside for that of another model", { skip }, async () => {
  const strict = {
    SAFETY_THRESHOLD: "0.01",
    CONFIDENCE_THRESHOLD: "0.9999",
    CRITICAL_THRESHOLD: "0",
  };
  await asked("escalated", strict, "Name three fruits.", ({ chunks, trace, told }) => {
    wasJudged(trace, told);
    assert.deepEqual(
      trace.steps.map((step) => step.model.split("/").at(-1)),
      [secondModel, ollamaModel],
      told,
    );
    assert.equal(trace.steps[0].outcome, "escalated", told);
    const put = chunks.findIndex((chunk) => chunk.goblin?.superseded);
    const before = chunks.slice(0, Math.max(put, 0));
    assert.equal(put >= 0, textOf(before) !== "", "what was shown is said to be put aside");
    assert.match(textOf(chunks.slice(Math.max(put, 0))), /\S/, "the other answer follows");
    assert.match(told, /escalated/);
  });
});

test("a question the judge finds unsafe is refused, and nothing of an answer was shown", { skip }, async () => {
  const wary = {
    SAFETY_THRESHOLD: "0.9999",
    CONFIDENCE_THRESHOLD: "0.01",
    CRITICAL_THRESHOLD: "0",
  };
  await asked("refused", wary, "Name three fruits.", ({ chunks, trace, told }) => {
    wasJudged(trace, told);
    assert.equal(textOf(chunks), "", told);
    const ends = chunks.map((chunk) => chunk.choices[0]?.finish_reason).filter(Boolean);
    assert.deepEqual(ends, ["content_filter"]);
    assert.match(trace.safety.refused_by, /^safety:/);
    assert.ok(verdicts(trace).some((verdict) => verdict.probability < 0.9999));
    assert.match(told, /refused/);
  });
});
