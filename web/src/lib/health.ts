import type { Model, Status, Upstream } from "@/api/types";
import { bytes, duration } from "./format";

export type UpstreamState = Upstream["state"];

/** The words people see; a colour or a shape only repeats them. */
export const stateWord: Record<UpstreamState, string> = {
  up: "up",
  slow: "slow",
  loading: "loading",
  down: "down",
  refused: "key refused",
  broken: "broken",
};

const order: UpstreamState[] = ["down", "refused", "broken", "loading", "slow", "up"];

/** Those that are not well, the worst first. */
export function troubled(status: Status | undefined): Upstream[] {
  const ill = (status?.upstreams ?? []).filter((upstream) => upstream.state !== "up");
  return ill.sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
}

export const answers = (upstream: Upstream) => upstream.state === "up" || upstream.state === "slow";

/** Nothing is away and yet there is no model: one has to be installed. Anything else passes by itself. */
export function nothingInstalled(status: Status | undefined): boolean {
  return (
    status !== undefined &&
    status.models.length === 0 &&
    status.upstreams.every((upstream) => answers(upstream))
  );
}

/** The quiet line: how many answer, how many models, how many of those in memory. */
export function quietLine(status: Status): string {
  const { upstreams, models } = status;
  if (upstreams.length === 0) return "No model server yet";
  const there = models.filter((model) => model.state !== "down").length;
  const loaded = models.filter((model) => model.state === "loaded").length;
  if (there === 0) return "No model can answer";
  const parts = [there === 1 ? "1 model" : `${there} models`];
  if (loaded > 0) parts.push(`${loaded} in memory`);
  return parts.join(", ");
}

/** What changed since the page last looked, one sentence for each server; for those who only listen. */
export function healthNews(before: Status | undefined, now: Status): string | null {
  const was = new Map(before?.upstreams.map((upstream) => [upstream.id, upstream.state]));
  const news = now.upstreams.flatMap((upstream) => {
    const { name, state, detail } = upstream;
    const old = was.get(upstream.id) ?? "up";
    if (old === state) return [];
    return [state === "up" ? `${name} is up again.` : `${name}: ${stateWord[state]}. ${detail}`];
  });
  return news.length > 0 ? news.join(" ") : null;
}

/** Word and kind of a model's readiness; the kind picks shape and colour. */
export function readiness(
  model: Model,
  upstream: Upstream | undefined,
): { kind: "loaded" | "loading" | "cold" | "ready" | "down"; word: string } {
  switch (model.state) {
    case "loaded":
      return { kind: "loaded", word: "in memory" };
    case "loading": {
      const done = upstream?.progress_percent;
      return { kind: "loading", word: done == null ? "loading" : `loading, ${done} %` };
    }
    case "down":
      return { kind: "down", word: "down" };
    default:
      return model.must_load
        ? { kind: "cold", word: "not in memory" }
        : { kind: "ready", word: "ready" };
  }
}

/** What somebody choosing this model has to expect before the first word; null when nothing is worth saying. */
export function expectation(model: Model, upstream: Upstream | undefined): string | null {
  if (model.state === "down") {
    return upstream && !answers(upstream) ? upstream.detail : "It does not answer now.";
  }
  const wait = model.predicted_wait_ms ?? 0;
  const first = model.predicted_first_token_ms;
  const about = first == null ? null : `about ${duration(wait + first)} to the first word`;
  if (model.must_load) {
    const load = "Would have to be loaded first";
    return about ? `${load}: ${about}` : load;
  }
  if (model.queued > 0) {
    const queue = `${model.queued} waiting`;
    return about ? `${queue}: ${about}` : queue;
  }
  return about;
}

/** Size in memory when it is there, else of its file. */
export function memoryFact(model: Model): string | null {
  if (model.memory_bytes != null) return `${bytes(model.memory_bytes)} in memory`;
  return model.size_bytes == null ? null : bytes(model.size_bytes);
}
