import { ChevronRight } from "lucide-react";
import type { TraceSummary, Turn } from "@/api/types";
import { sureness, trustFacts } from "@/lib/trust";

interface TrustLineProps {
  turn: Turn;
  summary: TraceSummary;
  onOpen: () => void;
}

/** The quiet line under an answer: who, where, how long, what it cost, how sure. It opens the trace. */
export function TrustLine({ turn, summary, onOpen }: TrustLineProps) {
  const facts = trustFacts(turn, summary);
  const { words, doubt } = sureness(summary);
  return (
    <button
      type="button"
      className="trust-line"
      data-testid="facts"
      aria-haspopup="dialog"
      title="Why this answer"
      onClick={onOpen}
    >
      <span className="sr-only">Why this answer:</span>
      {facts.map((fact, index) => (
        <span key={fact} className={index === 0 ? "fact font-medium text-ink" : "fact"}>
          {fact}
        </span>
      ))}
      <span className="fact" data-doubt={doubt || undefined}>
        {words}
      </span>
      <ChevronRight size={14} aria-hidden="true" className="shrink-0" />
    </button>
  );
}
