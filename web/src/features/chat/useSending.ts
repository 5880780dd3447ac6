import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import { lookAgain } from "@/api/queries";
import { draftFiles, idsOf, setDraftFiles, takeDraftFiles } from "@/lib/draftFiles";
import { readDraft, useDraft, writeDraft } from "@/lib/useDraft";
import { askTurn } from "./followTurn";

export interface Failure {
  error: unknown;
  retry: () => void;
}

/** Does the work; when it fails, shows why with a button for `retry`. True when it was done. */
export type Attempt = (work: () => Promise<unknown>, retry: () => void) => Promise<boolean>;

/**
 * The field for the next question, and its way to the server. Words are never lost: those being
 * sent stay stored until the server has them, those written meanwhile are left alone.
 */
export function useSending(chatId: string) {
  const client = useQueryClient();
  const [draft, showDraft] = useDraft(chatId);
  const [failure, setFailure] = useState<Failure | null>(null);
  // What the field says now, for work that began when it said something else.
  const field = useRef(draft);
  const setDraft = useCallback(
    (text: string) => {
      field.current = text;
      showDraft(text);
    },
    [showDraft],
  );

  const attempt: Attempt = useCallback(
    async (work, retry) => {
      setFailure(null);
      try {
        await work();
        return true;
      } catch (error) {
        setFailure({ error, retry });
        lookAgain(client);
        return false;
      }
    },
    [client],
  );

  async function send(text: string): Promise<void> {
    // Out of the field at once, but kept as the draft until the server has it.
    setDraft("");
    writeDraft(chatId, text);
    const files = takeDraftFiles(chatId);
    const attachments = idsOf(files);
    const body = attachments.length > 0 ? { content: text, attachments } : { content: text };
    const asked = { kind: "create" as const, chatId, body };
    const sent = await attempt(
      () => askTurn(client, { chatId, content: text, asked }),
      () => send(field.current.trim() === "" ? text : field.current),
    );
    // Before those attached meanwhile, as the question comes before the words written meanwhile.
    const meanwhile = draftFiles(chatId);
    setDraftFiles(chatId, sent ? meanwhile : [...files, ...meanwhile]);
    const since = field.current;
    const stored = readDraft(chatId);
    if (sent) {
      if (since === "" && stored === text) writeDraft(chatId, "");
    } else if (stored === "" || stored === text || stored === since) {
      // What was written meanwhile stays, behind the question that came back.
      setDraft(since.trim() === "" ? text : `${text}\n\n${since}`);
    }
  }

  return { draft, setDraft, send, attempt, failure, dismiss: () => setFailure(null) };
}
