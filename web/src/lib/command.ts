/** Finds the command in a sentence of the server, so that it can be shown apart with a copy button. */
export function splitCommand(text: string): { sentence: string; command: string | null } {
  const quoted = /`([^`]+)`/.exec(text);
  const found = quoted ?? /(?<=^|[\s:])(goblin [a-z][^\n]*)/.exec(text);
  if (!found?.[1]) return { sentence: text, command: null };
  const command = found[1].replace(/[.,;]$/, "").trim();
  const sentence = (text.slice(0, found.index) + text.slice(found.index + found[0].length))
    .replace(/[ ]+/g, " ")
    .replace(/\s+([.,;:])/g, "$1")
    .replace(/[\s:]+$/, "")
    .trim();
  return { sentence: sentence && !/[.!?]$/.test(sentence) ? `${sentence}:` : sentence, command };
}
