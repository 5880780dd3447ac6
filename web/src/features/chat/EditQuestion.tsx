import { useEffect, useRef } from "react";
import type { Turn } from "@/api/types";
import { readDraft, useDraft, writeDraft } from "@/lib/useDraft";
import { Button } from "@/ui/Button";

interface EditQuestionProps {
  turn: Turn;
  onCancel: () => void;
  onSave: (turn: Turn, content: string) => void;
}

export function EditQuestion({ turn, onCancel, onSave }: EditQuestionProps) {
  const key = `edit:${turn.id}`;
  if (readDraft(key) === "") writeDraft(key, turn.content);
  const [text, setText] = useDraft(key);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const element = field.current;
    element?.focus();
    element?.setSelectionRange(element.value.length, element.value.length);
  }, []);
  const cancel = () => {
    writeDraft(key, "");
    onCancel();
  };
  const save = () => {
    if (text.trim() === "") return;
    onSave(turn, text);
  };
  return (
    <form
      className="question-edit"
      aria-label="Edit question"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <textarea
        ref={field}
        aria-label="Question"
        rows={Math.min(10, text.split("\n").length + 1)}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Escape") {
            event.preventDefault();
            cancel();
          } else if (event.key === "Enter" && !event.shiftKey) {
            event.preventDefault();
            save();
          }
        }}
      />
      <div className="flex justify-end gap-2">
        <Button small look="quiet" onClick={cancel}>
          Cancel
        </Button>
        <Button small look="action" type="submit" disabled={text.trim() === ""}>
          Ask again
        </Button>
      </div>
    </form>
  );
}
