import type { Model, Status, Upstream } from "@/api/types";

/** A model server as the backend would describe it, with what a test cares about on top. */
export function anUpstream(given: Partial<Upstream> = {}): Upstream {
  return {
    id: "tier",
    name: "Model tier",
    kind: "model_tier",
    local: true,
    state: "up",
    detail: "Answers with one model, 1 in memory.",
    fix: null,
    progress_percent: null,
    models: 1,
    models_loaded: 1,
    memory_bytes: null,
    admin_detail: null,
    ...given,
  };
}

export function aModel(given: Partial<Model> = {}): Model {
  return {
    id: "tier/tiny",
    provider: "tier",
    local: true,
    context_window: 4096,
    state: "loaded",
    capabilities: ["chat"],
    starter: false,
    size_bytes: 92_000_000,
    parameters: "135M",
    memory_bytes: null,
    must_load: false,
    queued: 0,
    predicted_wait_ms: null,
    predicted_first_token_ms: null,
    decode_tokens_per_second: null,
    price: null,
    ...given,
  };
}

export function aStatus(given: Partial<Status> = {}): Status {
  return {
    version: "0.1.0",
    mode: "local",
    default_model: "tier/tiny",
    tiers: [{ name: "backend", state: "ok", detail: "Answers requests.", fix: null }],
    upstreams: [anUpstream()],
    models: [aModel()],
    suggestion: null,
    no_model_help: null,
    outcomes: null,
    ...given,
  };
}
