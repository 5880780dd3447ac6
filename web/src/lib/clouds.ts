import type { Cloud, CloudHealth } from "@/api/types";

const names: Record<string, string> = {
  openai: "OpenAI",
  anthropic: "Anthropic",
  deepseek: "DeepSeek",
  gemini: "Google Gemini",
  grok: "xAI Grok",
};

/** What people call it. */
export const cloudName = (id: string): string => names[id] ?? id;

/** How it is, as the word beside the dot and as the dot. */
export const cloudWords: Record<CloudHealth, { word: string; dot: string }> = {
  ok: { word: "Answers", dot: "up" },
  starting: { word: "Getting ready", dot: "slow" },
  key_refused: { word: "Refuses the key", dot: "refused" },
  broken: { word: "Answers wrongly", dot: "broken" },
  down: { word: "Cannot be reached", dot: "down" },
  no_key: { word: "No key", dot: "cold" },
  key_sealed: { word: "Key does not open", dot: "broken" },
  off: { word: "Switched off", dot: "cold" },
};

/** Whose key it is called with, and which. */
export function keyWords(cloud: Cloud): string {
  switch (cloud.key_set_by) {
    case "environment":
      return `key from the environment (${cloud.key_variable})`;
    case "file":
      return "key from a configuration file";
    case "page":
      return cloud.last_four ? `key ending in ${cloud.last_four}` : "key kept here";
    default:
      return "never asked";
  }
}

/** What was found when it was tried, in a sentence. */
export function testWords(name: string, health: CloudHealth, models: number): string {
  if (health !== "ok") return `${name}: ${cloudWords[health].word.toLowerCase()}.`;
  return `${name} answers, with ${models} ${models === 1 ? "model" : "models"}.`;
}
