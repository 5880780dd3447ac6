import { useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { updateChat, updateFeedback } from "@/api/client";
import { changeTurn, putChat, reloadTurns } from "@/api/queries";
import type { Feedback, FeedbackChange, Turn } from "@/api/types";
import { readDraft, writeDraft } from "@/lib/useDraft";
import { askTurn } from "./followTurn";
import { unplaceLiveTurns } from "./liveTurns";
import type { TurnActions } from "./TurnRow";
import type { Attempt } from "./useSending";

/** Everything a reader can do with a turn. What fails is shown, with a button that tries it again. */
export function useTurnActions(
  chatId: string,
  attempt: Attempt,
  setEditing: (turnId: string | null) => void,
  onTrace: (turn: Turn) => void,
): TurnActions {
  const client = useQueryClient();
  return useMemo(() => {
    const onRegenerate = async (turn: Turn): Promise<void> => {
      const asked = { kind: "regenerate" as const, turnId: turn.id };
      await attempt(
        () => askTurn(client, { chatId, content: turn.content, asked }),
        () => onRegenerate(turn),
      );
    };
    const onEdited = async (turn: Turn, content: string): Promise<void> => {
      const key = `edit:${turn.id}`;
      setEditing(null);
      const asked = { kind: "edit" as const, turnId: turn.id, content };
      const sent = await attempt(
        () => askTurn(client, { chatId, content, asked }),
        // The field is open again after a failure, and may say something else by now.
        () => onEdited(turn, readDraft(key) || content),
      );
      if (!sent) setEditing(turn.id);
      else if (readDraft(key) === content) writeDraft(key, "");
    };
    const onBranch = async (turnId: string): Promise<void> => {
      await attempt(
        async () => {
          putChat(client, await updateChat(chatId, { head: turnId }), "keep");
          unplaceLiveTurns(chatId);
          await reloadTurns(client, chatId);
        },
        () => onBranch(turnId),
      );
    };
    const onFeedback = (turn: Turn, change: FeedbackChange): Promise<boolean> =>
      attempt(
        async () => changeTurn(client, turn, { feedback: await updateFeedback(turn.id, change) }),
        () => onFeedback(turn, change),
      );
    const onBetter = (turn: Turn, better: boolean): Promise<boolean> =>
      attempt(
        async () => changeTurn(client, turn, { feedback: await compare(turn, better) }),
        () => onBetter(turn, better),
      );
    const onSecondOpinion = async (turn: Turn, model: string): Promise<void> => {
      const asked = { kind: "regenerate" as const, turnId: turn.id, model };
      const second: Turn[] = [];
      await attempt(
        async () => second.push(await askTurn(client, { chatId, content: turn.content, asked })),
        () => onSecondOpinion(turn, model),
      );
      for (const { id } of second) await onFeedback(turn, { second_opinion: id });
    };
    return {
      onRegenerate,
      onEdited,
      onBranch,
      onFeedback,
      onBetter,
      onSecondOpinion,
      onTrace,
      onEdit: setEditing,
    };
  }, [client, chatId, attempt, setEditing, onTrace]);
}

/** Of many versions only the newest are compared. */
const MOST_COMPARED = 8;

/**
 * Says of the other answers to the same question that this one is better, or takes that back. A
 * version of the question that was edited is another question; the server passes over it.
 */
async function compare(turn: Turn, better: boolean): Promise<Feedback> {
  const others = better
    ? turn.siblings.filter((id) => id !== turn.id).slice(-MOST_COMPARED)
    : (turn.feedback?.better_than ?? []);
  const said = await Promise.allSettled(
    others.map((id) => updateFeedback(id, { better_turn: better ? turn.id : null })),
  );
  const done = others.filter((_, index) => said[index]?.status === "fulfilled");
  const refused = said.find((one) => one.status === "rejected");
  if (done.length === 0 && refused) throw refused.reason;
  const before = turn.feedback ?? {
    rating: null,
    better_turn: null,
    better_than: [],
    second_opinion: null,
    comment: null,
    updated_at: turn.created_at,
  };
  const rest = before.better_than.filter((id) => !done.includes(id));
  return { ...before, better_than: better ? [...rest, ...done] : rest };
}
