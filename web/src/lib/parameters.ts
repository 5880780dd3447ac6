import type { Parameters } from "@/api/types";

/** One number a person may set, with the limits the server holds too; saying so early saves a trip. */
export interface NumberField {
  name: Exclude<keyof Parameters, "stop">;
  label: string;
  hint: string;
  min: number;
  max: number;
  whole: boolean;
}

export const numberFields: readonly NumberField[] = [
  field("temperature", "Temperature", "Low is steady, high is inventive", 0, 2),
  field("max_tokens", "Longest answer", "In tokens; about ¾ of a word each", 1, 1_000_000, true),
  field("top_p", "Top P", "Keep the likeliest words up to this share", 0, 1),
  field("top_k", "Top K", "Keep this many words; 0 is all", 0, 1000, true),
  field("min_p", "Min P", "Drop words this much less likely than the best", 0, 1),
  field("seed", "Seed", "The same seed repeats an answer", 0, 4_294_967_295, true),
  field("presence_penalty", "Presence penalty", "Above 0 favours new subjects", -2, 2),
  field("frequency_penalty", "Frequency penalty", "Above 0 favours new words", -2, 2),
];

function field(
  name: NumberField["name"],
  label: string,
  hint: string,
  min: number,
  max: number,
  whole = false,
): NumberField {
  return { name, label, hint, min, max, whole };
}

/** What stands in the form: text, because a half-typed number is not a number. */
export type ParametersForm = Record<keyof Parameters, string>;
export type ParametersErrors = Partial<Record<keyof Parameters, string>>;

export function toForm(parameters: Parameters): ParametersForm {
  const text = (value: number | null | undefined) => (value == null ? "" : String(value));
  return {
    temperature: text(parameters.temperature),
    top_p: text(parameters.top_p),
    top_k: text(parameters.top_k),
    min_p: text(parameters.min_p),
    max_tokens: text(parameters.max_tokens),
    seed: text(parameters.seed),
    presence_penalty: text(parameters.presence_penalty),
    frequency_penalty: text(parameters.frequency_penalty),
    stop: (parameters.stop ?? []).join("\n"),
  };
}

/** An empty field means the model's own default and is left out. */
export function fromForm(form: ParametersForm): { values: Parameters; errors: ParametersErrors } {
  const values: Parameters = {};
  const errors: ParametersErrors = {};
  for (const known of numberFields) {
    const text = form[known.name].trim();
    if (text === "") continue;
    const value = Number(text.replace(",", "."));
    const problem = numberProblem(value, known);
    if (problem) errors[known.name] = problem;
    else values[known.name] = value;
  }
  const stop = form.stop.split("\n").filter((line) => line !== "");
  if (stop.length > 4)
    errors.stop = `At most 4 stop texts, one per line; these are ${stop.length}.`;
  else if (stop.length > 0) values.stop = stop;
  return { values, errors };
}

function numberProblem(value: number, known: NumberField): string | null {
  const limits = `from ${known.min.toLocaleString("en")} to ${known.max.toLocaleString("en")}`;
  if (!Number.isFinite(value)) return `A number ${limits}, or empty for the model's default.`;
  if (known.whole && !Number.isInteger(value)) return `A whole number ${limits}.`;
  if (value < known.min || value > known.max) return `Must be ${limits}.`;
  return null;
}
