import { ShieldAlert, ShieldQuestion, Undo2 } from "lucide-react";
import { useLayoutEffect, useRef, useState } from "react";
import type { Turn } from "@/api/types";
import { modelName, providerName } from "@/lib/format";
import { placeOf } from "@/lib/place";
import { ruleWords } from "@/lib/trust";
import type { Checking, Earlier } from "@/lib/turnReducer";
import { Button } from "@/ui/Button";
import { Markdown } from "@/ui/markdown/Markdown";

interface AnswerTextProps {
  turn: Turn;
  /** Set when this is not the answer that counts: it was put aside or taken back. */
  earlier: Earlier | null;
  checking: Checking | null;
  /** Another answer stands above this one. */
  again: boolean;
}

/**
 * The words of one answer. One that is put aside stays where the reader is reading it, only paler,
 * and says so below its last line; one that is taken back leaves its room empty. So nothing moves
 * under the reader's eyes, and whoever wants the room back asks for it.
 */
export function AnswerText({ turn, earlier, checking, again }: AnswerTextProps) {
  const words = useRef<HTMLDivElement>(null);
  const height = useRef(0);
  const [folded, setFolded] = useState(false);
  const streaming = turn.status === "streaming" && earlier === null;
  // What it takes now is what it leaves empty should it be taken back.
  useLayoutEffect(() => {
    if (streaming) height.current = words.current?.offsetHeight ?? 0;
  });

  if (earlier?.kind === "retracted") {
    return (
      <div className="retracted" style={{ minHeight: folded ? 0 : height.current }}>
        <div className="answer-note" data-warn>
          <ShieldAlert size={16} className="mt-0.5 shrink-0" />
          <div className="space-y-2">
            <p className="font-medium">
              What {modelName(earlier.model)} wrote here was taken back.
            </p>
            <p>
              The rule: {ruleWords(earlier.rule)}. {earlier.why}
            </p>
            {!folded && height.current > 120 && (
              <Button small onClick={() => setFolded(true)}>
                Close the gap
              </Button>
            )}
          </div>
        </div>
      </div>
    );
  }

  const { answer, reasoning } = earlier ?? turn;
  return (
    <div className={earlier ? "superseded" : undefined}>
      {!folded && (
        <div ref={words}>
          {reasoning && <Reasoning text={reasoning} open={streaming && answer === ""} />}
          <div
            {...(earlier ? {} : { "data-testid": "answer" })}
            className={streaming ? "answer-text answer-writing" : "answer-text"}
          >
            {answer === "" && streaming ? (
              <p className="thinking">{waitingFor(checking, again, turn)}</p>
            ) : (
              <Markdown text={answer} finished={!streaming} />
            )}
          </div>
        </div>
      )}
      {streaming && checking && (answer !== "" || checking.heldTokens > 0) && (
        <Held checking={checking} />
      )}
      {earlier && (
        <div className="superseded-note">
          <Undo2 size={16} className="mt-0.5 shrink-0" />
          <p className="min-w-0 flex-1">
            <span className="font-medium text-ink">
              The answer of {modelName(earlier.model)} was put aside.
            </span>{" "}
            {earlier.why} {modelName(earlier.by)} answers again,{" "}
            {placeOf(providerName(earlier.by), earlier.local)}.
          </p>
          <Button small look="quiet" aria-expanded={!folded} onClick={() => setFolded(!folded)}>
            {folded ? "Show it" : "Hide it"}
          </Button>
        </div>
      )}
    </div>
  );
}

function waitingFor(checking: Checking | null, again: boolean, turn: Turn): string {
  if (checking?.part === "prompt") return "Checking the question";
  return again && turn.model ? `${modelName(turn.model)} begins again` : "Thinking";
}

/** Words that are written but not shown yet: as much room as they may take, and who reads them first. */
function Held({ checking }: { checking: Checking }) {
  const { part, judge, heldTokens } = checking;
  const lines = Math.min(4, Math.ceil(heldTokens / 16));
  const what =
    part === "answer" ? "The answer" : part === "prompt" ? "The question" : "What follows";
  return (
    <div className="held">
      <p>
        <ShieldQuestion size={15} className="shrink-0" />
        <span>
          {what} is being checked{judge ? ` by ${modelName(judge)}` : ""} before it is shown
          {heldTokens > 0 && ` · ${heldTokens} tokens held`}
        </span>
      </p>
      <div aria-hidden="true">
        {Array.from({ length: lines }, (_, line) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
          <span key={line} className="held-line" data-last={line === lines - 1 || undefined} />
        ))}
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
