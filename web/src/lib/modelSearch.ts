import type { Model, Status } from "@/api/types";
import { cloudName } from "./clouds";
import { modelFacts } from "./format";

/** From so many models on, looking for one by words is quicker than going through them. */
export const searchFrom = 10;

/** The models in whose name, server or facts every word occurs, in the order they are preferred. */
export function findModels(status: Status | undefined, text: string): Model[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const upstreams = new Map((status?.upstreams ?? []).map((upstream) => [upstream.id, upstream]));
  return (status?.models ?? []).filter((model) => {
    const upstream = upstreams.get(model.provider);
    const place = model.local ? "local" : "cloud";
    const said = [model.id, upstream?.name, cloudName(model.provider), place, ...modelFacts(model)];
    const all = said.join(" ").toLowerCase();
    return words.every((word) => all.includes(word));
  });
}
