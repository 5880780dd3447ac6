/**
 * Finds the command in a sentence of the server, so that it can be shown apart with a copy button. Names
 * of models and servers stand between backticks too; those are no commands.
 */
export function splitCommand(text: string): { sentence: string; command: string | null } {
  const quoted = /`((?:goblin|make|ollama|docker|curl|sudo) [^`]+)`/.exec(text)?.[1];
  if (quoted || text.includes("`")) {
    // Part of the sentence, which would not be one without it.
    return { sentence: text.replaceAll("`", ""), command: quoted?.trim() ?? null };
  }
  const found = /(?<=^|[\s:])(goblin [a-z][^\n]*)/.exec(text);
  if (!found?.[1]) return { sentence: text, command: null };
  const command = found[1].replace(/[.,;]$/, "").trim();
  const sentence = text.slice(0, found.index).replace(/[\s:]+$/, "");
  return { sentence: sentence && !/[.!?]$/.test(sentence) ? `${sentence}:` : sentence, command };
}
