import { CircleSlash, PlugZap, Scissors, ShieldAlert, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { Turn } from "@/api/types";
import { remedyOfProblem } from "@/lib/problems";
import { ruleWords } from "@/lib/trust";
import { Button } from "@/ui/Button";

interface AnswerStatusProps {
  turn: Turn;
  onRegenerate: (() => void) | null;
}

/** Says when an answer is not whole, why, and what to do. Silent when it is. */
export function AnswerStatus({ turn, onRegenerate }: AnswerStatusProps) {
  const again = (label: string) =>
    onRegenerate && (
      <Button small onClick={onRegenerate}>
        {label}
      </Button>
    );
  switch (turn.status) {
    case "stopped":
      return (
        <Note icon={<CircleSlash size={16} />} title="You stopped this answer.">
          {turn.answer === "" && again("Answer again")}
        </Note>
      );
    case "incomplete":
      return (
        <Note
          icon={<PlugZap size={16} />}
          warn
          title="The server was restarted in the middle of this answer."
        >
          <p>What had been written is kept.</p>
          {again("Answer again")}
        </Note>
      );
    case "failed": {
      const remedy = turn.error ? remedyOfProblem(turn.error) : null;
      return (
        <Note icon={<TriangleAlert size={16} />} warn title={remedy?.title ?? "The answer failed"}>
          <p>
            {remedy?.detail ?? "The model gave no reason."}
            {turn.answer !== "" && " What had been written is kept."}
          </p>
          {again("Retry")}
        </Note>
      );
    }
    default:
      return turn.finish_reason === "length" ? (
        <Note
          icon={<Scissors size={16} />}
          title="The answer reached its longest length and ends here."
        >
          <p>Ask it to go on, or raise “Longest answer” in the settings of this chat.</p>
        </Note>
      ) : turn.trace?.refused_by ? (
        <Note icon={<ShieldAlert size={16} />} warn title="This answer was refused.">
          <p>
            The rule: {ruleWords(turn.trace.refused_by)}.
            {turn.answer !== "" && " What had been found safe before that is kept."}
          </p>
          {again("Answer again")}
        </Note>
      ) : turn.finish_reason === "content_filter" ? (
        <Note
          icon={<CircleSlash size={16} />}
          warn
          title="The model's provider held back part of this answer."
        >
          {again("Answer again")}
        </Note>
      ) : null;
  }
}

interface NoteProps {
  icon: ReactNode;
  title: string;
  warn?: boolean;
  children?: ReactNode;
}

function Note({ icon, title, warn = false, children }: NoteProps) {
  return (
    <div className="answer-note" data-warn={warn || undefined}>
      <span className="mt-0.5 shrink-0">{icon}</span>
      <div className="space-y-2">
        <p className="font-medium">{title}</p>
        {children}
      </div>
    </div>
  );
}
