import type { Model, Turn } from "@/api/types";
import { placeOf } from "./place";

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export function bytes(count: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function contextWindow(tokens: number): string {
  return tokens >= 1024 ? `${Math.round(tokens / 1024)}K context` : `${tokens} tokens of context`;
}

/** "provider/model" is an address; people call the model by its own name. */
export function modelName(id: string): string {
  const slash = id.indexOf("/");
  return slash < 0 ? id : id.slice(slash + 1);
}

export function providerName(id: string): string {
  const slash = id.indexOf("/");
  return slash < 0 ? "" : id.slice(0, slash);
}

/** The line under an answer: who, where, how fast. Parts the server did not report are left out. */
export function answerFacts(turn: Turn): string[] {
  const facts: string[] = [];
  if (turn.model) {
    facts.push(modelName(turn.model));
    if (typeof turn.local === "boolean") facts.push(placeOf(providerName(turn.model), turn.local));
  }
  if (turn.timing) {
    facts.push(`first token ${duration(turn.timing.first_token_ms)}`);
    facts.push(`${duration(turn.timing.total_ms)} in all`);
  }
  if (turn.usage) {
    const tokens = turn.usage.completion_tokens;
    facts.push(`${tokens.toLocaleString("en")} ${tokens === 1 ? "token" : "tokens"}`);
    // Measured after the first token, so that a long prompt does not make a model look slow.
    const writing = turn.timing ? turn.timing.total_ms - turn.timing.first_token_ms : 0;
    if (writing > 0 && tokens > 1) {
      facts.push(`${((tokens - 1) / (writing / 1000)).toFixed(1)} tok/s`);
    }
  }
  return facts;
}

/** What a model is: how large, how much it reads, what more than text it can do, what it costs. */
export function modelFacts(model: Model): string[] {
  const facts: string[] = [];
  if (model.parameters) facts.push(model.parameters);
  if (model.context_window) facts.push(contextWindow(model.context_window));
  const abilities = (["vision", "tools", "thinking"] as const).filter((ability) =>
    model.capabilities.includes(ability),
  );
  facts.push(...abilities.map((ability) => abilityWords[ability]));
  if (model.price) facts.push(priceWords(model.price));
  return facts;
}

const abilityWords = { vision: "sees images", tools: "uses tools", thinking: "reasons" };

/** "$1.25 in, $10 out per million tokens". */
export function priceWords({ input_usd, output_usd }: NonNullable<Model["price"]>): string {
  const dollars = (usd: number) =>
    `$${usd.toLocaleString("en", { maximumFractionDigits: usd < 1 ? 3 : 2 })}`;
  return `${dollars(input_usd)} in, ${dollars(output_usd)} out per million tokens`;
}
