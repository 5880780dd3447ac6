import { useQuery } from "@tanstack/react-query";
import { Cloud, HardDrive } from "lucide-react";
import type { ReactNode } from "react";
import { traceQuery } from "@/api/queries";
import type { Trace, Turn } from "@/api/types";
import { bytes, duration, modelName } from "@/lib/format";
import { remedyOf } from "@/lib/problems";
import {
  answeringStep,
  authorityWords,
  money,
  percent,
  ruleWords,
  story,
  totalMs,
} from "@/lib/trust";
import { CopyButton } from "@/ui/CopyButton";
import { Dialog } from "@/ui/Dialog";
import { Sentence } from "@/ui/Sentence";
import { TraceSteps } from "./TraceSteps";

interface TraceDialogProps {
  turn: Turn;
  onClose: () => void;
}

/** Why this answer: who could have answered, who did, who checked it and what they found, what left. */
export default function TraceDialog({ turn, onClose }: TraceDialogProps) {
  const { data: trace, error } = useQuery(traceQuery(turn.id));
  return (
    <Dialog title="Why this answer" onClose={onClose} wide>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and a keyboard must be able to */}
      <section className="trace" aria-label="Trace of this answer" tabIndex={0}>
        {trace ? (
          <Whole trace={trace} />
        ) : (
          <p className="text-muted">{error ? remedyOf(error).detail : "Reading the trace…"}</p>
        )}
      </section>
    </Dialog>
  );
}

function Whole({ trace }: { trace: Trace }) {
  return (
    <>
      <p className="trace-story">{story(trace)}</p>
      <Tiles trace={trace} />
      <Ladder trace={trace} />
      <TraceSteps trace={trace} />
      <Result trace={trace} />
      <Part title="What left your machines">
        {trace.sent.length === 0 ? (
          <p>{trace.left_machine ? "Something did, uncounted." : "Nothing."}</p>
        ) : (
          <ul className="trace-plain">
            {trace.sent.map(({ to, bytes: count }) => (
              <li key={to}>
                <Cloud size={15} className="shrink-0" /> {bytes(count)} of text to {to}
              </li>
            ))}
          </ul>
        )}
      </Part>
      {trace.notes.length > 0 && (
        <Part title="Notes">
          <ul className="trace-plain">
            {trace.notes.map((note) => (
              <li key={note}>
                <span>
                  <Sentence text={note} />
                </span>
              </li>
            ))}
          </ul>
        </Part>
      )}
      <footer className="trace-foot">
        <span className="min-w-0 truncate font-mono">{trace.trace_id}</span>
        <CopyButton text={trace.trace_id} label="Copy the trace's id" />
        <span className="min-w-0 truncate">Policy {trace.route.policy || "unnamed"}</span>
      </footer>
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="trace-part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Tiles({ trace }: { trace: Trace }) {
  const last = answeringStep(trace);
  const { confidence, cost_usd, would_have_cost_usd: dearest } = trace;
  const sure = confidence ? percent(confidence.value) : "not judged";
  return (
    <dl className="trace-tiles">
      <Tile
        name="Answered by"
        value={last ? modelName(last.model) : "nobody"}
        more={
          last && (last.local ? `${last.provider}, your machines` : `${last.provider}, a cloud`)
        }
      />
      <Tile
        name="Took"
        value={duration(totalMs(trace))}
        more={last?.first_token_ms != null && `first word ${duration(last.first_token_ms)}`}
      />
      <Tile
        name="Cost"
        value={money(cost_usd)}
        more={dearest != null && dearest > (cost_usd ?? 0) && `${money(dearest)} with the dearest`}
      />
      <Tile
        name="How sure"
        value={sure}
        more={confidence && (confidence.calibrated ? "calibrated" : "not calibrated")}
      />
    </dl>
  );
}

function Tile({ name, value, more }: { name: string; value: string; more?: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value}
        {more && <small>{more}</small>}
      </dd>
    </div>
  );
}

function Ladder({ trace }: { trace: Trace }) {
  const { route } = trace;
  const rungs = route.candidates.filter(({ rung }) => rung != null);
  const others = route.candidates.filter(({ rung }) => rung == null);
  const features = [...route.features].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  return (
    <Part title="The ladder">
      <p>
        {route.intent
          ? `It reads as ${route.intent}, ${percent(route.intent_confidence)} likely${
              route.runner_up ? `; next would be ${route.runner_up}` : ""
            }${route.role ? `. The policy asks the role ${route.role} first.` : "."}`
          : `A model was named: ${trace.model}.`}
      </p>
      <ol className="ladder">
        {rungs.map((one) => (
          <li key={one.model}>
            {one.local ? <HardDrive size={15} /> : <Cloud size={15} />}
            <span className="min-w-0 flex-1">
              <span className="font-medium break-words text-ink">{modelName(one.model)}</span>{" "}
              {[
                one.role && `role ${one.role}`,
                `expected quality ${percent(one.quality)}`,
                one.first_token_ms != null && `first word in ${duration(one.first_token_ms)}`,
                money(one.cost_usd),
                !one.local && "leaves your machines",
              ]
                .filter(Boolean)
                .join(" · ")}
            </span>
          </li>
        ))}
      </ol>
      {others.length > 0 && (
        <details>
          <summary>Passed over: {others.length}</summary>
          <ul className="trace-plain">
            {others.map(({ model, passed_over }) => (
              <li key={model}>
                <span>
                  <span className="font-medium text-ink">{modelName(model)}</span>:{" "}
                  {passed_over ?? "no reason given"}
                </span>
              </li>
            ))}
          </ul>
        </details>
      )}
      {features.length > 0 && (
        <details>
          <summary>Chosen by: {features.length} signs</summary>
          <ul className="trace-signs">
            {features.slice(0, 40).map(({ name, value }) => (
              <li key={name}>
                {name} <b>{Number.isInteger(value) ? value : value.toFixed(2)}</b>
              </li>
            ))}
          </ul>
        </details>
      )}
    </Part>
  );
}

function Result({ trace }: { trace: Trace }) {
  const { safety, confidence, thresholds, verify } = trace;
  const verdicts = [...trace.prompt_verdicts, ...trace.steps.flatMap((step) => step.verdicts)];
  const capable = verdicts.some((one) => one.authority !== "none" && one.probability != null);
  return (
    <Part title="What counted">
      <ul className="trace-plain">
        <li>
          Checked: {verify === "off" ? "not at all" : verifyWords[verify]}. Unsafe below{" "}
          {percent(thresholds.safety)}, accepted from {percent(thresholds.confidence)}, refused
          below {percent(thresholds.critical)} where nobody better is left.
        </li>
        {safety && (
          <li>
            Safe: {safety.probability == null ? "nobody judged" : percent(safety.probability)} (
            {authorityWords[safety.authority]}
            {safety.category ? `; most likely ${ruleWords(safety.category)}` : ""}).
            {safety.found.length > 0 &&
              ` Found without a judge: ${safety.found.map(ruleWords).join(", ")}.`}
          </li>
        )}
        {confidence && (
          <li>
            Sure: {percent(confidence.value)} by {confidence.method} (
            {confidence.calibrated ? "calibrated" : "not calibrated"};{" "}
            {authorityWords[confidence.authority]}
            {confidence.self_judged ? "; the model judged itself" : ""}).
          </li>
        )}
        {verify !== "off" && !capable && (
          <li className="font-medium text-ink">Not checked by a capable model.</li>
        )}
        {trace.cache === "hit" && <li>Taken from the cache.</li>}
      </ul>
    </Part>
  );
}

const verifyWords: Record<Trace["verify"], string> = {
  off: "not at all",
  final: "all of it before anything was shown",
  hold: "each part before it was shown",
  optimistic: "each part after it was shown",
};
