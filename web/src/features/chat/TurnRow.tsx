import { ChevronLeft, ChevronRight, Pencil, RefreshCw } from "lucide-react";
import { lazy, memo, Suspense } from "react";
import { useMay } from "@/api/signIn";
import type { Turn } from "@/api/types";
import { answerFacts } from "@/lib/format";
import { branchOf } from "@/lib/turnPath";
import { IconButton } from "@/ui/Button";
import { CopyButton } from "@/ui/CopyButton";
import { GoblinMark } from "@/ui/GoblinMark";
import { AnswerStatus } from "./AnswerStatus";
import { AnswerText } from "./AnswerText";
import { EditQuestion } from "./EditQuestion";
import { type FeedbackActions, FeedbackButtons, FeedbackComment } from "./FeedbackButtons";
import { TrustLine } from "./TrustLine";
import { type ShownTurn, useTurn } from "./useTurnPath";

const TurnFiles = lazy(() => import("./TurnFiles"));

export interface TurnActions extends FeedbackActions {
  onTrace: (turn: Turn) => void;
  onRegenerate: (turn: Turn) => void;
  onEdit: (turnId: string | null) => void;
  onEdited: (turn: Turn, content: string) => void;
  onBranch: (turnId: string) => void;
}

interface TurnRowProps {
  turn: Turn;
  last: boolean;
  editing: boolean;
  actions: TurnActions;
}

/** A question and its answer. */
export const TurnRow = memo(function TurnRow({
  turn: saved,
  last,
  editing,
  actions,
}: TurnRowProps) {
  const shown = useTurn(saved);
  const { turn } = shown;
  return (
    <article
      className="turn"
      data-turn={turn.id}
      data-status={turn.status}
      data-last={last || undefined}
    >
      {turn.attachments?.length > 0 && (
        // Also while the question is edited: its files stay. A backend older than this page says nothing of files.
        <Suspense fallback={<div className="turn-files" />}>
          <TurnFiles files={turn.attachments} />
        </Suspense>
      )}
      {editing ? (
        <EditQuestion turn={turn} onCancel={() => actions.onEdit(null)} onSave={actions.onEdited} />
      ) : (
        <QuestionView turn={turn} onEdit={() => actions.onEdit(turn.id)} />
      )}
      {turn.left_out > 0 && (
        <p className="left-out">
          Older turns left out: {turn.left_out}. The chat no longer fits the model's context.
        </p>
      )}
      <Answer shown={shown} actions={actions} />
    </article>
  );
});

function QuestionView({ turn, onEdit }: { turn: Turn; onEdit: () => void }) {
  const mayAsk = useMay("member");
  return (
    <div className="question-row">
      <div className="question">
        <h2 className="sr-only">You asked</h2>
        <p>{turn.content}</p>
      </div>
      <div className="turn-actions justify-end">
        {mayAsk && (
          <IconButton label="Edit question" onClick={onEdit}>
            <Pencil size={15} />
          </IconButton>
        )}
        <CopyButton text={turn.content} label="Copy question" />
      </div>
    </div>
  );
}

interface AnswerProps {
  shown: ShownTurn;
  actions: TurnActions;
}

function Answer({ shown, actions }: AnswerProps) {
  const { turn, reconnecting, checking, earlier } = shown;
  const streaming = turn.status === "streaming";
  const mayAsk = useMay("member");
  return (
    <div className="answer" aria-busy={streaming}>
      <span className="answer-mark">
        <GoblinMark size={30} busy={streaming} />
      </span>
      <div className="min-w-0 flex-1">
        <h2 className="sr-only">Answer</h2>
        {/* One list, so that an answer that is put aside is the same element before and after. */}
        {[...earlier, null].map((one, index) => (
          <AnswerText
            // biome-ignore lint/suspicious/noArrayIndexKey: answers only ever come below others
            key={index}
            turn={turn}
            earlier={one}
            checking={checking}
            again={index > 0}
          />
        ))}
        {reconnecting && (
          <p className="answer-note">
            Connection lost. The answer goes on, and will be caught up here.
          </p>
        )}
        <AnswerStatus
          turn={turn}
          onRegenerate={streaming || !mayAsk ? null : () => actions.onRegenerate(turn)}
        />
        {!streaming && <AnswerFooter turn={turn} actions={actions} />}
      </div>
    </div>
  );
}

function AnswerFooter({ turn, actions }: { turn: Turn; actions: TurnActions }) {
  const mayAsk = useMay("member");
  return (
    <>
      <footer className="answer-footer">
        {turn.trace ? (
          <TrustLine turn={turn} summary={turn.trace} onOpen={() => actions.onTrace(turn)} />
        ) : (
          <Facts turn={turn} />
        )}
        <div className="turn-actions">
          <CopyButton text={turn.answer} label="Copy answer" />
          {mayAsk && (
            <IconButton label="Answer again" onClick={() => actions.onRegenerate(turn)}>
              <RefreshCw size={15} />
            </IconButton>
          )}
          {mayAsk && turn.answer !== "" && <FeedbackButtons turn={turn} actions={actions} />}
          <Branches turn={turn} onBranch={actions.onBranch} />
        </div>
      </footer>
      {mayAsk && <FeedbackComment turn={turn} actions={actions} />}
    </>
  );
}

/** Of an answer without a trace: what its turn says. */
function Facts({ turn }: { turn: Turn }) {
  const facts = answerFacts(turn);
  if (facts.length === 0) return null;
  return (
    <p data-testid="facts">
      {facts.map((fact, index) => (
        <span key={fact} className={index === 0 ? "fact font-medium text-ink" : "fact"}>
          {fact}
        </span>
      ))}
    </p>
  );
}

function Branches({ turn, onBranch }: { turn: Turn; onBranch: (turnId: string) => void }) {
  const branch = branchOf(turn);
  if (branch.count < 2) return null;
  const go = (id: string | null) => id && onBranch(id);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of two buttons is no fieldset
    <div role="group" aria-label="Versions" className="flex items-center text-sm text-muted">
      <IconButton
        label="Previous version"
        disabled={!branch.previous}
        onClick={() => go(branch.previous)}
      >
        <ChevronLeft size={16} />
      </IconButton>
      <span data-testid="branch" className="tabular-nums">
        {branch.position}/{branch.count}
      </span>
      <IconButton label="Next version" disabled={!branch.next} onClick={() => go(branch.next)}>
        <ChevronRight size={16} />
      </IconButton>
    </div>
  );
}
