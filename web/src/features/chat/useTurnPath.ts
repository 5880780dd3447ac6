import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { useShallow } from "zustand/react/shallow";
import { turnsInOrder, turnsQuery } from "@/api/queries";
import type { Turn } from "@/api/types";
import { placeTurn } from "@/lib/turnPath";
import type { Checking, Earlier } from "@/lib/turnReducer";
import { attachTurn } from "./followTurn";
import { useLiveTurns } from "./liveTurns";

/** The turns on screen: what the server has saved, and what is being answered in its place. */
export function useTurnPath(chatId: string) {
  const client = useQueryClient();
  const query = useInfiniteQuery(turnsQuery(chatId));
  const saved = useMemo(() => turnsInOrder(query.data), [query.data]);
  // Only who is live matters here; the words arriving re-render one row, not the list.
  const begun = useLiveTurns(
    useShallow((state) =>
      Object.values(state.turns)
        .filter((live) => live.chatId === chatId && live.placed)
        .map((live) => live.begun),
    ),
  );
  const pending = useLiveTurns((state) =>
    state.pending?.chatId === chatId ? state.pending : null,
  );

  useEffect(() => {
    for (const turn of saved) if (turn.status === "streaming") attachTurn(client, turn);
  }, [client, saved]);

  const turns = useMemo(() => {
    const known = new Set(saved.map((turn) => turn.id));
    let path: Turn[] = saved;
    for (const turn of begun) if (!known.has(turn.id)) path = placeTurn(path, turn);
    return path;
  }, [saved, begun]);

  return { query, turns, pending };
}

/** The saved turns of a chat, page by page. */
export type TurnsQuery = ReturnType<typeof useTurnPath>["query"];

/** A turn as it is shown: its newest state, word by word while it is being written. */
export interface ShownTurn {
  turn: Turn;
  reconnecting: boolean;
  checking: Checking | null;
  /** What was shown before the answer that counts, as long as this page is open. */
  earlier: readonly Earlier[];
}

const nothing: readonly Earlier[] = [];

export function useTurn(turn: Turn): ShownTurn {
  const live = useLiveTurns((state) => state.turns[turn.id]);
  const kept = useLiveTurns((state) => state.kept[turn.id]);
  return {
    turn: live?.state.turn ?? turn,
    reconnecting: live?.reconnecting ?? false,
    checking: live?.state.checking ?? null,
    earlier: live?.state.earlier ?? kept ?? nothing,
  };
}
