import { ChevronLeft, ChevronRight, Pencil, RefreshCw } from "lucide-react";
import { memo } from "react";
import type { Turn } from "@/api/types";
import { answerFacts } from "@/lib/format";
import { branchOf } from "@/lib/turnPath";
import { IconButton } from "@/ui/Button";
import { CopyButton } from "@/ui/CopyButton";
import { GoblinMark } from "@/ui/GoblinMark";
import { Markdown } from "@/ui/markdown/Markdown";
import { AnswerStatus } from "./AnswerStatus";
import { EditQuestion } from "./EditQuestion";
import { useTurn } from "./useTurnPath";

export interface TurnActions {
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
  const { turn, reconnecting } = useTurn(saved);
  return (
    <article
      className="turn"
      data-turn={turn.id}
      data-status={turn.status}
      data-last={last || undefined}
    >
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
      <Answer turn={turn} reconnecting={reconnecting} actions={actions} />
    </article>
  );
});

function QuestionView({ turn, onEdit }: { turn: Turn; onEdit: () => void }) {
  return (
    <div className="question-row">
      <div className="question">
        <h2 className="sr-only">You asked</h2>
        <p>{turn.content}</p>
      </div>
      <div className="turn-actions justify-end">
        <IconButton label="Edit question" onClick={onEdit}>
          <Pencil size={15} />
        </IconButton>
        <CopyButton text={turn.content} label="Copy question" />
      </div>
    </div>
  );
}

interface AnswerProps {
  turn: Turn;
  reconnecting: boolean;
  actions: TurnActions;
}

function Answer({ turn, reconnecting, actions }: AnswerProps) {
  const streaming = turn.status === "streaming";
  return (
    <div className="answer" aria-busy={streaming}>
      <span className="answer-mark">
        <GoblinMark size={30} busy={streaming} />
      </span>
      <div className="min-w-0 flex-1">
        <h2 className="sr-only">Answer</h2>
        {turn.reasoning && (
          <Reasoning text={turn.reasoning} open={streaming && turn.answer === ""} />
        )}
        <div
          data-testid="answer"
          className={streaming ? "answer-text answer-writing" : "answer-text"}
        >
          {turn.answer === "" && streaming ? (
            <p className="thinking">Thinking</p>
          ) : (
            <Markdown text={turn.answer} finished={!streaming} />
          )}
        </div>
        {reconnecting && (
          <p className="answer-note">
            Connection lost. The answer goes on, and will be caught up here.
          </p>
        )}
        <AnswerStatus
          turn={turn}
          onRegenerate={streaming ? null : () => actions.onRegenerate(turn)}
        />
        {!streaming && <AnswerFooter turn={turn} actions={actions} />}
      </div>
    </div>
  );
}

function Reasoning({ text, open }: { text: string; open: boolean }) {
  return (
    <details className="reasoning" open={open}>
      <summary>Reasoning</summary>
      <p>{text}</p>
    </details>
  );
}

function AnswerFooter({ turn, actions }: { turn: Turn; actions: TurnActions }) {
  const facts = answerFacts(turn);
  return (
    <footer className="answer-footer">
      {facts.length > 0 && (
        <p data-testid="facts">
          {facts.map((fact, index) => (
            <span key={fact} className={index === 0 ? "font-medium text-ink" : undefined}>
              {fact}
            </span>
          ))}
        </p>
      )}
      <div className="turn-actions">
        <CopyButton text={turn.answer} label="Copy answer" />
        <IconButton label="Answer again" onClick={() => actions.onRegenerate(turn)}>
          <RefreshCw size={15} />
        </IconButton>
        <Branches turn={turn} onBranch={actions.onBranch} />
      </div>
    </footer>
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
