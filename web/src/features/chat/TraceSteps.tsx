import type { Step, Trace, Verdict } from "@/api/types";
import { duration, modelName } from "@/lib/format";
import {
  aboutWords,
  authorityWords,
  backendWords,
  money,
  noVerdict,
  outcomeWords,
  percent,
  spanOf,
  thresholdOf,
  totalMs,
} from "@/lib/trust";

/** Each attempt on one time axis, with its verdicts as bars and the figures they were compared with. */
export function TraceSteps({ trace }: { trace: Trace }) {
  const total = totalMs(trace);
  return (
    <section className="trace-part">
      <h3>On the way</h3>
      {trace.prompt_verdicts.length > 0 && (
        <div className="step">
          <p className="step-head">
            <span className="font-medium text-ink">Your question</span>
          </p>
          <Verdicts trace={trace} verdicts={trace.prompt_verdicts} of="the question" />
        </div>
      )}
      {trace.steps.map((step, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: attempts never change their order
        <Attempt key={index} step={step} trace={trace} total={total} />
      ))}
      {trace.steps.length > 0 && (
        <p className="axis" aria-hidden="true">
          <span>0</span>
          <span>{duration(total)}</span>
        </p>
      )}
    </section>
  );
}

function Attempt({ step, trace, total }: { step: Step; trace: Trace; total: number }) {
  const { start, first, end } = spanOf(step, total);
  const model = modelName(step.model);
  const times = [
    `began at ${duration(step.started_ms)}`,
    step.first_token_ms != null && `first word at ${duration(step.first_token_ms)}`,
    step.ended_ms != null && `ended at ${duration(step.ended_ms)}`,
  ].filter(Boolean);
  const at = (share: number) => `${(share * 100).toFixed(2)}%`;
  return (
    <div className="step" data-outcome={step.outcome}>
      <p className="step-head">
        <span className="font-medium break-words text-ink">{model}</span>
        <span className="step-outcome">{outcomeWords[step.outcome]}</span>
        <span>
          {step.tokens} {step.tokens === 1 ? "token" : "tokens"} · {money(step.cost_usd)}
          {step.local ? "" : " · left your machines"}
        </span>
      </p>
      <div className="span-track" role="img" aria-label={`${model}: ${times.join(", ")}`}>
        <span className="span-wait" style={{ left: at(start), width: at(first - start) }} />
        <span className="span-write" style={{ left: at(first), width: at(end - first) }} />
      </div>
      {step.why && <p>{step.why}</p>}
      <Verdicts trace={trace} verdicts={step.verdicts} of={model} />
      {step.tokens_probability && (
        <p>
          Its own words: a mean of {step.tokens_probability.mean.toFixed(2)}, the least likely{" "}
          {step.tokens_probability.min.toFixed(2)} (natural logarithms, recorded only).
        </p>
      )}
    </div>
  );
}

interface VerdictsProps {
  trace: Trace;
  verdicts: readonly Verdict[];
  of: string;
}

function Verdicts({ trace, verdicts, of }: VerdictsProps) {
  if (verdicts.length === 0) return null;
  return (
    <ul className="verdicts" aria-label={`Verdicts on ${of}`}>
      {verdicts.map((verdict, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: verdicts never change their order
        <VerdictBar key={index} verdict={verdict} threshold={thresholdOf(trace, verdict)} />
      ))}
    </ul>
  );
}

/** A probability as a bar, with a stroke where the threshold is; beside it who judged, and by what right. */
function VerdictBar({ verdict, threshold }: { verdict: Verdict; threshold: number }) {
  const { concern, about, probability, model, ms, backend, authority, choice } = verdict;
  const what = concern === "safety" ? "Safe" : "Correct and complete";
  const judge = [
    modelName(model),
    backendWords(backend),
    duration(ms),
    authorityWords[authority],
    verdict.self_judged && "judges itself",
  ].filter(Boolean);
  const below = probability != null && probability < threshold;
  const share = (value: number) => `${(Math.min(1, Math.max(0, value)) * 100).toFixed(1)}%`;
  return (
    <li
      className="verdict"
      data-acts={authority !== "none" || undefined}
      data-below={below || undefined}
    >
      <span className="verdict-what">
        {what}, {aboutWords(about)}
      </span>
      {probability == null ? (
        <span className="verdict-none">No verdict: {noVerdict(verdict)}.</span>
      ) : (
        <>
          <span className="verdict-track" aria-hidden="true">
            <span className="verdict-fill" style={{ width: share(probability) }} />
            <span className="verdict-mark" style={{ left: share(threshold) }} />
          </span>
          <span className="verdict-value">
            {percent(probability)}{" "}
            <span className="text-muted">
              {below ? "below" : "above"} {percent(threshold)}
            </span>
          </span>
        </>
      )}
      <span className="verdict-judge">
        {choice && choice !== "safe" ? `${choice.replaceAll("_", " ")} · ` : ""}
        {judge.join(" · ")}
      </span>
    </li>
  );
}
