import { ArrowUp, Paperclip, Square } from "lucide-react";
import {
  lazy,
  type ReactNode,
  type Ref,
  Suspense,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
} from "react";
import { areSettled, useFilesOf } from "@/lib/draftFiles";
import { IconButton } from "@/ui/Button";

const DraftFiles = lazy(() => import("./DraftFiles"));

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
  /** Whose files these are, and the model chosen for the chat; null: nothing can be attached. */
  files: { draft: string; chosen: string | null } | null;
  ref?: Ref<ComposerHandle>;
}

export function Composer(props: ComposerProps) {
  const { text, onText, onSend, onStop, disabled, placeholder, tools, files, ref } = props;
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const [dropping, setDropping] = useState(false);
  const attached = useFilesOf(files?.draft ?? "");
  useImperativeHandle(ref, () => ({ focus: () => field.current?.focus() }), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight, 260)}px`;
  }, [text]);

  const sendable = text.trim() !== "" && !disabled && areSettled(attached);

  /** True when there was something to attach. */
  function take(given: FileList | null | undefined): boolean {
    if (!files || !given || given.length === 0) return false;
    const { draft } = files;
    // A copy: the browser empties its list when the event is over.
    const list = [...given];
    import("./attaching").then(({ attach }) => attach(draft, list));
    return true;
  }

  return (
    <form
      className="composer"
      aria-label="Ask"
      data-dropping={dropping || undefined}
      onDragOver={(event) => {
        if (!files || !event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setDropping(true);
      }}
      onDragLeave={() => setDropping(false)}
      onDrop={(event) => {
        setDropping(false);
        if (take(event.dataTransfer.files)) event.preventDefault();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        if (sendable) onSend();
      }}
    >
      {files && attached.length > 0 && (
        <Suspense>
          <DraftFiles {...files} onEmptied={() => field.current?.focus()} />
        </Suspense>
      )}
      <textarea
        ref={field}
        id="question"
        aria-label="Your question"
        rows={1}
        value={text}
        placeholder={placeholder}
        onChange={(event) => onText(event.target.value)}
        onPaste={(event) => {
          if (take(event.clipboardData.files)) event.preventDefault();
        }}
        onKeyDown={(event) => {
          // While an input method composes a word, Enter accepts the word.
          if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          if (sendable) onSend();
        }}
      />
      <div className="flex items-center gap-1 px-2 pb-2">
        {files && (
          <>
            <IconButton
              label="Attach files"
              className="size-9"
              onClick={() => picker.current?.click()}
            >
              <Paperclip size={18} />
            </IconButton>
            <input
              ref={picker}
              type="file"
              hidden
              multiple
              aria-label="Files to attach"
              onChange={(event) => {
                take(event.target.files);
                event.target.value = "";
                field.current?.focus();
              }}
            />
          </>
        )}
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
