import { useQuery } from "@tanstack/react-query";
import { Award, Scale, ThumbsDown, ThumbsUp } from "lucide-react";
import { useState } from "react";
import { statusQuery } from "@/api/queries";
import type { FeedbackChange, Turn } from "@/api/types";
import { modelName, providerName } from "@/lib/format";
import { placeOf } from "@/lib/place";
import { branchOf } from "@/lib/turnPath";
import { Button, IconButton } from "@/ui/Button";
import { Menu, MenuItem } from "@/ui/Menu";

export interface FeedbackActions {
  onFeedback: (turn: Turn, change: FeedbackChange) => Promise<boolean>;
  onBetter: (turn: Turn, better: boolean) => Promise<boolean>;
  onSecondOpinion: (turn: Turn, model: string) => void;
}

interface FeedbackProps {
  turn: Turn;
  actions: FeedbackActions;
}

/** Thumbs, a second opinion, and which of several answers is the better one. */
export function FeedbackButtons({ turn, actions }: FeedbackProps) {
  const rating = turn.feedback?.rating ?? null;
  const better = (turn.feedback?.better_than.length ?? 0) > 0;
  const rate = (word: "up" | "down") =>
    actions.onFeedback(turn, { rating: rating === word ? null : word });
  return (
    <>
      <IconButton label="Good answer" aria-pressed={rating === "up"} onClick={() => rate("up")}>
        <ThumbsUp size={15} fill={rating === "up" ? "currentColor" : "none"} />
      </IconButton>
      <IconButton label="Bad answer" aria-pressed={rating === "down"} onClick={() => rate("down")}>
        <ThumbsDown size={15} fill={rating === "down" ? "currentColor" : "none"} />
      </IconButton>
      {branchOf(turn).count > 1 && (
        <IconButton
          label="Better than the other answers"
          aria-pressed={better}
          onClick={() => actions.onBetter(turn, !better)}
        >
          <Award size={16} fill={better ? "currentColor" : "none"} />
        </IconButton>
      )}
      <Menu
        label="Second opinion from"
        side="top"
        trigger={
          <IconButton label="Second opinion">
            <Scale size={16} />
          </IconButton>
        }
      >
        <Opinions turn={turn} actions={actions} />
      </Menu>
    </>
  );
}

/** Other models that can answer the question now. */
function Opinions({ turn, actions }: FeedbackProps) {
  const { data: status } = useQuery(statusQuery);
  const models = (status?.models ?? []).filter(
    ({ id, state, capabilities }) =>
      id !== turn.model && state !== "down" && capabilities.includes("chat"),
  );
  if (models.length === 0) {
    return <p className="max-w-56 px-2.5 py-2 text-sm text-muted">No other model is here.</p>;
  }
  return models.map(({ id, local }) => (
    <MenuItem
      key={id}
      icon={<Scale size={15} className="mt-0.5 self-start text-leaf" />}
      onSelect={() => actions.onSecondOpinion(turn, id)}
    >
      <span className="min-w-0">
        <span className="block truncate font-medium">{modelName(id)}</span>
        <span className="block text-[0.8125rem] text-muted">
          {placeOf(providerName(id), local)}
        </span>
      </span>
    </MenuItem>
  ));
}

const MOST_BYTES = 4096;

/** Asked once a thumb points down: what was wrong, in the reader's words. */
export function FeedbackComment({ turn, actions }: FeedbackProps) {
  const saved = turn.feedback?.comment ?? "";
  const [text, setText] = useState(saved);
  if (turn.feedback?.rating !== "down") return null;
  const tooLong = new TextEncoder().encode(text).length > MOST_BYTES;
  return (
    <form
      className="feedback-comment"
      aria-label="What was wrong"
      onSubmit={(event) => {
        event.preventDefault();
        if (!tooLong) actions.onFeedback(turn, { comment: text.trim() === "" ? null : text });
      }}
    >
      <textarea
        aria-label="What was wrong with this answer?"
        placeholder="What was wrong with it? Kept with this answer, on this server."
        rows={2}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Button small type="submit" disabled={tooLong || text.trim() === saved.trim()}>
        {saved !== "" && text.trim() === saved.trim() ? "Kept" : "Keep"}
      </Button>
    </form>
  );
}
