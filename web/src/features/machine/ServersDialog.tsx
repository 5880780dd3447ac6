import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { statusQuery } from "@/api/queries";
import { useMay } from "@/api/signIn";
import type { Model, Upstream } from "@/api/types";
import { bytes, modelName } from "@/lib/format";
import { expectation, memoryFact, readiness, stateWord } from "@/lib/health";
import { Dialog } from "@/ui/Dialog";
import { Sentence } from "@/ui/Sentence";
import { StateDot } from "@/ui/StateDot";
import { StateIcon } from "./StateIcon";

/** Every model server and its models: where it is, how it is, what is in memory. */
export default function ServersDialog({ onClose }: { onClose: () => void }) {
  const { data: status } = useQuery(statusQuery);
  const upstreams = status?.upstreams ?? [];
  const maySetUp = useMay("admin");
  return (
    <Dialog title="Where answers come from" onClose={onClose} wide>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and a keyboard must be able to */}
      <section className="servers" aria-label="Model servers and models" tabIndex={0}>
        {upstreams.length === 0 && (
          <p className="text-muted">
            <Sentence text={status?.no_model_help ?? "Not known yet."} />
          </p>
        )}
        {upstreams.map((upstream) => (
          <Server
            key={upstream.id}
            upstream={upstream}
            models={(status?.models ?? []).filter((model) => model.provider === upstream.id)}
          />
        ))}
        {maySetUp && (
          <p>
            <Link
              to="/admin/$section"
              params={{ section: "providers" }}
              className="link-button"
              onClick={onClose}
            >
              Add a cloud, or change how it is called
            </Link>
          </p>
        )}
      </section>
    </Dialog>
  );
}

function Server({ upstream, models }: { upstream: Upstream; models: Model[] }) {
  const { name, state, detail, fix, admin_detail: words, memory_bytes: memory } = upstream;
  const titleId = `server-${upstream.id}`;
  return (
    <section aria-labelledby={titleId} className="server" data-state={state}>
      <header>
        <StateIcon state={state} />
        <h3 id={titleId}>{name}</h3>
        <span className="state-mark" data-state={state}>
          {stateWord[state]}
        </span>
        <span className="server-place">{place(upstream)}</span>
      </header>
      <p>
        <Sentence text={detail} />
        {memory != null && <span className="text-muted"> {bytes(memory)} of memory.</span>}
      </p>
      {fix && (
        <p className="text-muted">
          <Sentence text={fix} />
        </p>
      )}
      {words && <p className="server-words">{words}</p>}
      {models.length > 0 && (
        <ul aria-label={`Models of ${name}`}>
          {models.map((model) => (
            <ModelLine key={model.id} model={model} upstream={upstream} />
          ))}
        </ul>
      )}
    </section>
  );
}

function ModelLine({ model, upstream }: { model: Model; upstream: Upstream }) {
  const { kind, word } = readiness(model, upstream);
  const rate = model.decode_tokens_per_second;
  const facts = [
    memoryFact(model),
    model.state === "down" ? null : expectation(model, upstream),
    rate == null || model.state === "down" ? null : `${rate.toFixed(0)} tok/s`,
  ].filter((fact) => fact !== null);
  return (
    <li>
      <StateDot state={kind} />
      <span className="min-w-0 flex-1">
        <span className="font-medium break-words">{modelName(model.id)}</span>{" "}
        <span className="text-muted">{[word, ...facts].join(" · ")}</span>
      </span>
    </li>
  );
}

function place({ kind, local }: Upstream): string {
  if (kind === "engine") return "in this process";
  return local ? "your own machine" : "leaves your machines";
}
