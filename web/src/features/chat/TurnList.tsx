import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { useLayoutEffect, useRef, useState } from "react";
import { useNextPage } from "@/api/nextPage";
import type { Turn } from "@/api/types";
import { Button } from "@/ui/Button";
import { GoblinMark } from "@/ui/GoblinMark";
import type { PendingQuestion } from "./liveTurns";
import { type TurnActions, TurnRow } from "./TurnRow";
import type { TurnsQuery } from "./useTurnPath";

interface TurnListProps {
  chatId: string;
  turns: readonly Turn[];
  pending: PendingQuestion | null;
  editing: string | null;
  actions: TurnActions;
  /** The query of these turns, for the pages before them. */
  older: TurnsQuery;
}

/** Close enough to the end to count as reading along. */
const FOLLOW_PX = 80;

/**
 * The turns of a chat, only those near the screen in the page. Anchored at the end: who reads
 * along stays at the newest word, who has scrolled up is not moved by a single pixel.
 */
export function TurnList(props: TurnListProps) {
  const { chatId, turns, pending, editing, actions, older } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const shown = withoutReplaced(turns, pending);
  const count = shown.length + (pending ? 1 : 0);
  const virtualizer = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    getItemKey: (index) => shown[index]?.id ?? pending?.key ?? index,
    estimateSize: () => 320,
    overscan: 3,
    paddingStart: 24,
    paddingEnd: 24,
    anchorTo: "end",
    followOnAppend: true,
    scrollEndThreshold: FOLLOW_PX,
    onChange: (list) => setAtEnd(list.isAtEnd(FOLLOW_PX)),
  });

  // biome-ignore lint/correctness/useExhaustiveDependencies: a chat opens at its end
  useLayoutEffect(() => virtualizer.scrollToEnd(), [chatId]);

  const first = virtualizer.getVirtualItems()[0]?.index;
  useNextPage(older, first !== undefined && first < 3);

  return (
    <div className="relative min-h-0 flex-1">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must reach it */}
      <section ref={scroller} className="turn-scroller" tabIndex={0} aria-label="Conversation">
        <div className="relative w-full" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const turn = shown[item.index];
            return (
              <div
                key={item.key}
                ref={virtualizer.measureElement}
                data-index={item.index}
                className="absolute top-0 left-0 w-full"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                {turn ? (
                  <TurnRow
                    turn={turn}
                    last={item.index === count - 1}
                    editing={editing === turn.id}
                    actions={actions}
                  />
                ) : (
                  pending && <PendingRow content={pending.content} />
                )}
              </div>
            );
          })}
        </div>
      </section>
      {older.isFetchingNextPage && <p className="older-note">Loading older turns…</p>}
      {older.isFetchNextPageError && !older.isFetchingNextPage && (
        <p className="older-note">
          Older turns could not be loaded.{" "}
          <Button small onClick={() => older.fetchNextPage()}>
            Load again
          </Button>
        </p>
      )}
      {!atEnd && count > 0 && (
        <Button
          small
          className="absolute bottom-3 left-1/2 -translate-x-1/2 shadow-raised"
          onClick={() => virtualizer.scrollToEnd()}
        >
          <ArrowDown size={15} /> Jump to latest
        </Button>
      )}
    </div>
  );
}

/** A question asked again takes its old place, and what followed is another branch now. */
function withoutReplaced(turns: readonly Turn[], pending: PendingQuestion | null) {
  if (!pending?.insteadOf) return turns;
  const at = turns.findIndex((turn) => turn.id === pending.insteadOf);
  return at < 0 ? turns : turns.slice(0, at);
}

function PendingRow({ content }: { content: string }) {
  return (
    <article className="turn" data-status="pending">
      <div className="question-row">
        <div className="question">
          <h2 className="sr-only">You asked</h2>
          <p>{content}</p>
        </div>
      </div>
      <div className="answer" aria-busy="true">
        <span className="answer-mark">
          <GoblinMark size={30} busy />
        </span>
        <p className="thinking">Sending</p>
      </div>
    </article>
  );
}
