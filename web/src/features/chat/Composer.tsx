import { ArrowUp, Square } from "lucide-react";
import { type ReactNode, type Ref, useEffect, useImperativeHandle, useRef } from "react";

export interface ComposerHandle {
  focus: () => void;
}

interface ComposerProps {
  text: string;
  onText: (text: string) => void;
  onSend: () => void;
  /** Set while an answer is being written. */
  onStop: (() => void) | null;
  disabled: boolean;
  placeholder: string;
  tools: ReactNode;
  ref?: Ref<ComposerHandle>;
}

export function Composer(props: ComposerProps) {
  const { text, onText, onSend, onStop, disabled, placeholder, tools, ref } = props;
  const field = useRef<HTMLTextAreaElement>(null);
  useImperativeHandle(ref, () => ({ focus: () => field.current?.focus() }), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight, 260)}px`;
  }, [text]);

  const sendable = text.trim() !== "" && !disabled;
  return (
    <form
      className="composer"
      aria-label="Ask"
      onSubmit={(event) => {
        event.preventDefault();
        if (sendable) onSend();
      }}
    >
      <textarea
        ref={field}
        id="question"
        aria-label="Your question"
        rows={1}
        value={text}
        placeholder={placeholder}
        onChange={(event) => onText(event.target.value)}
        onKeyDown={(event) => {
          // While an input method composes a word, Enter accepts the word.
          if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          if (sendable) onSend();
        }}
      />
      <div className="flex items-center gap-1 px-2 pb-2">
        {tools}
        <span className="flex-1" />
        {onStop && (
          <button
            type="button"
            className="composer-button"
            aria-label="Stop"
            title="Stop (Esc)"
            onClick={onStop}
          >
            <Square size={14} fill="currentColor" />
          </button>
        )}
        {(!onStop || sendable) && (
          <button
            type="submit"
            className="composer-button"
            aria-label="Send"
            title="Send (Enter)"
            disabled={!sendable}
          >
            <ArrowUp size={19} strokeWidth={2.4} />
          </button>
        )}
      </div>
    </form>
  );
}
