import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { checksQuery } from "@/api/costs";
import { statusQuery } from "@/api/queries";
import type { Check, Outcomes, Status } from "@/api/types";
import { duration, modelName } from "@/lib/format";
import { expectation, stateWord } from "@/lib/health";
import { remedyOf } from "@/lib/problems";
import { keptMoments, type Moment, momentOf, perMinute, withMoment } from "@/lib/statusHistory";
import { count } from "@/lib/usage";
import { Sentence } from "@/ui/Sentence";
import { StateDot } from "@/ui/StateDot";
import { Sparkline } from "./Sparkline";

/** How everything is now, and was while this was open: what `goblin status --watch` and `goblin doctor` say. */
export default function StatusSection() {
  const checks = useQuery(checksQuery);
  const state = useQuery({ ...statusQuery, refetchInterval: 5000 });
  const status = state.data;
  const [moments, setMoments] = useState<Moment[]>([]);
  const { data: list, dataUpdatedAt: at } = checks;
  useEffect(() => {
    if (list) setMoments((before) => withMoment(before, momentOf(at, list.items, status)));
  }, [list, at, status]);
  return (
    <>
      <p className="text-muted">
        Looked at every five seconds while this is open. The lines show the last ten minutes of
        that.
      </p>
      {[checks, state].map(
        ({ isError, error }, index) =>
          isError && (
            // biome-ignore lint/suspicious/noArrayIndexKey: two questions, always in this order
            <div key={index} role="alert" className="form-failure">
              <Sentence text={remedyOf(error).detail} />
            </div>
          ),
      )}
      {checks.isPending && <p className="text-muted">Looking…</p>}
      {list?.draining && <p role="alert">The server is shutting down.</p>}
      <Lately moments={moments} />
      {status?.outcomes && <SoFar all={status.outcomes} />}
      {status && <Servers status={status} />}
      {list && <Checks items={list.items} />}
    </>
  );
}

/** What is drawn of requests, each in a minute. */
const often: [string, keyof Outcomes][] = [
  ["Requests a minute", "requests"],
  ["Answers a minute", "answers"],
  ["Refused a minute", "refused"],
  ["Failed here a minute", "failed"],
  ["Failed answers a minute", "answers_failed"],
  ["Failures of model servers a minute", "attempts_failed"],
];

function rate(value: number): string {
  return value === 0 || value >= 10 ? count(Math.round(value)) : value.toFixed(1);
}

function Lately({ moments }: { moments: Moment[] }) {
  if (moments.length === 0) return null;
  const lines = [
    { name: "Not well", say: count, values: moments.map((it) => it.unwell) },
    { name: "Waiting", say: count, values: moments.map((it) => it.waiting) },
    { name: "Longest predicted wait", say: duration, values: moments.map((it) => it.waitMs) },
    ...often.map(([name, which]) => ({ name, say: rate, values: perMinute(moments, which) })),
  ].map((line) => ({
    ...line,
    words: line.say(line.values.at(-1) ?? 0),
    least: Math.min(...line.values),
    most: Math.max(...line.values),
  }));
  return (
    <dl className="status-lines">
      {lines.map(({ name, say, words, values, least, most }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <strong>{words}</strong>
            <Sparkline
              values={values}
              most={keptMoments}
              label={
                least === most
                  ? `${name}: ${words} now`
                  : `${name}: ${words} now, ${say(least)} to ${say(most)} lately`
              }
            />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function SoFar({ all }: { all: Outcomes }) {
  return (
    <p>
      Since it started: {count(all.requests)} requests, {count(all.refused)} refused and{" "}
      {count(all.failed)} failed here; {count(all.answers)} answers, {count(all.answers_failed)}{" "}
      failed. Model servers failed {count(all.attempts_failed)} times.
    </p>
  );
}

function Servers({ status }: { status: Status }) {
  const upstream = new Map(status.upstreams.map((one) => [one.id, one]));
  return (
    <>
      <p>
        goblin {status.version}, {status.mode}.{" "}
        {status.default_model ? (
          <>Answers come from {modelName(status.default_model)} first.</>
        ) : (
          <Sentence text={status.no_model_help ?? "There is no model yet."} />
        )}
      </p>
      <h3>Tiers and model servers</h3>
      <ul className="rows" aria-label="Tiers and model servers">
        {status.tiers.map(({ name, state, detail, fix }) => (
          <Line
            key={`tier ${name}`}
            name={name}
            state={state}
            word={state}
            found={detail}
            fix={fix}
          />
        ))}
        {status.upstreams.map(({ id, name, state, detail, fix, admin_detail: said }) => (
          <Line
            key={id}
            name={name}
            state={state}
            word={stateWord[state]}
            found={detail}
            cause={said}
            fix={fix}
          />
        ))}
      </ul>
      <h3>Models and who waits</h3>
      <ul className="rows" aria-label="Models">
        {status.models.map((model) => (
          <li key={model.id}>
            <div className="row-text">
              <p>
                <strong>{modelName(model.id)}</strong>: {model.state}, {count(model.queued)} waiting
              </p>
              <p className="row-more">
                {model.decode_tokens_per_second != null && (
                  <span>{model.decode_tokens_per_second.toFixed(0)} tok/s</span>
                )}
                <span>
                  {expectation(model, upstream.get(model.provider)) ?? "not measured yet"}
                </span>
              </p>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}

function Checks({ items }: { items: Check[] }) {
  // What is wrong stands first.
  const ordered = [...items].sort((a, b) => Number(a.state === "ok") - Number(b.state === "ok"));
  return (
    <>
      <h3>Checks</h3>
      <ul className="rows" aria-label="Checks">
        {ordered.map(({ name, state, found, cause, fix }) => (
          <Line
            key={name}
            name={name}
            state={state}
            word={state}
            found={found}
            cause={cause}
            fix={fix}
          />
        ))}
      </ul>
    </>
  );
}

interface LineProps {
  name: string;
  /** Picks shape and colour. */
  state: string;
  word: string;
  found: string;
  cause?: string | null | undefined;
  fix: string | null | undefined;
}

function Line({ name, state, word, found, cause, fix }: LineProps) {
  return (
    <li>
      <div className="row-text">
        <p>
          <StateDot state={state} /> <strong>{name}</strong>: {word}
        </p>
        <p>
          <Sentence text={found} />
        </p>
        {cause && (
          <p className="text-muted">
            <Sentence text={cause} />
          </p>
        )}
        {fix && (
          <p>
            <Sentence text={fix} />
          </p>
        )}
      </div>
    </li>
  );
}
