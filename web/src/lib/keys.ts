import type { ApiKey } from "@/api/types";

// What is said of keys of the API, and what a form about one holds. Pure.

export const lifetimes = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "A year" },
  { value: "never", label: "Until it is revoked" },
] as const;
export type Lifetime = (typeof lifetimes)[number]["value"];

/** The moment a key made now is to end; null: never. */
export function endOf(lifetime: Lifetime, now: number): string | null {
  if (lifetime === "never") return null;
  return new Date(now + Number(lifetime) * 86_400_000).toISOString();
}

export const uses = [
  { value: "infer,embed", label: "Ask models" },
  { value: "read", label: "Only look: lists, states, traces" },
] as const;
export type Use = (typeof uses)[number]["value"];

export type KeyState = "good" | "expired" | "revoked";

export function keyState(key: ApiKey, now: number): KeyState {
  if (key.revoked_at !== null) return "revoked";
  return key.expires_at !== null && Date.parse(key.expires_at) <= now ? "expired" : "good";
}

/** Entries of a text field: lines, or commas between them. */
export const entriesOf = (text: string): string[] =>
  text
    .split(/[\s,]+/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");

/** What a key is bound to, in a few words. */
export function boundsOf(key: ApiKey): string[] {
  const bounds = [key.scopes.includes("infer") ? "asks models" : "only looks"];
  if (key.models !== null) bounds.push(`only ${key.models.join(", ")}`);
  if (key.networks !== null) bounds.push(`from ${key.networks.join(", ")}`);
  if (key.budget !== null) {
    const period = { day: "a day", month: "a month", total: "in all" }[key.budget.period];
    bounds.push(`$${key.budget.usd} ${period}`);
  }
  return bounds;
}
