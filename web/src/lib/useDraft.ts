import { useCallback, useState } from "react";
import { forgetDraftFiles } from "./draftFiles";

/**
 * Text being written, kept for the life of the tab: an error, a reload or a look into another chat
 * never costs a person their words. Cleared only once the server has the question.
 */
const prefix = "goblin-draft:";

export function readDraft(key: string): string {
  try {
    return sessionStorage.getItem(prefix + key) ?? "";
  } catch {
    return "";
  }
}

export function writeDraft(key: string, text: string): void {
  try {
    if (text === "") sessionStorage.removeItem(prefix + key);
    else sessionStorage.setItem(prefix + key, text);
  } catch {
    // Storage can be forbidden or full; the text still stands in the field.
  }
}

/** Whoever wrote them is gone. */
export function forgetDrafts(): void {
  forgetDraftFiles();
  try {
    const keys = Array.from({ length: sessionStorage.length }, (_, at) => sessionStorage.key(at));
    for (const key of keys) {
      if (key?.startsWith(prefix)) sessionStorage.removeItem(key);
    }
  } catch {
    // Then nothing was kept either.
  }
}

export function useDraft(key: string): [string, (text: string) => void] {
  const [draft, setDraft] = useState({ key, text: readDraft(key) });
  const current = draft.key === key ? draft.text : readDraft(key);
  if (draft.key !== key) setDraft({ key, text: current });
  const write = useCallback(
    (text: string) => {
      writeDraft(key, text);
      setDraft({ key, text });
    },
    [key],
  );
  return [current, write];
}
