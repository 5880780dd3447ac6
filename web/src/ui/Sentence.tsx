import { Fragment } from "react";

/** A sentence of the server. What stands between backticks is something to type. */
export function Sentence({ text }: { text: string }) {
  return text.split("`").map((part, index) =>
    index % 2 === 1 ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: parts of one sentence never move
      <code key={index} className="font-mono text-[0.875em] break-words text-ink">
        {part}
      </code>
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: parts of one sentence never move
      <Fragment key={index}>{part}</Fragment>
    ),
  );
}
