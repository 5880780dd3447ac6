import { type ReactNode, useEffect, useRef } from "react";
import { Button } from "./Button";
import { CopyButton } from "./CopyButton";

interface ShownOnceProps {
  /** What it is, as a heading. */
  title: string;
  /** Whom to give it to, how long it is good. */
  children: ReactNode;
  secret: string;
  copyLabel: string;
  onDone: () => void;
}

/** A secret just made: a link, a key. The server will not show it again. */
export function ShownOnce({ title, children, secret, copyLabel, onDone }: ShownOnceProps) {
  const box = useRef<HTMLElement>(null);
  // It appears where nobody looked before; focus goes there, and a screen reader reads it.
  useEffect(() => box.current?.focus(), []);
  return (
    <section ref={box} tabIndex={-1} aria-label={title} className="shown-once">
      <h3>{title}</h3>
      <p>{children}</p>
      <div className="shown-once-secret">
        <code data-testid="shown-once">{secret}</code>
        <CopyButton text={secret} label={copyLabel} />
      </div>
      <Button small onClick={onDone}>
        Done
      </Button>
    </section>
  );
}
