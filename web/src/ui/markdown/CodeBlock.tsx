import { useEffect, useState } from "react";
import type { HighlightSpan } from "@/lib/markdown/highlightSpans";
import { CopyButton } from "../CopyButton";
import { highlight, highlighted } from "./highlighter";

interface CodeBlockProps {
  code: string;
  language: string;
  closed: boolean;
}

export function CodeBlock({ code, language, closed }: CodeBlockProps) {
  const spans = useHighlight(code, language, closed);
  return (
    <figure className="code-block" aria-label={language ? `Code, ${language}` : "Code"}>
      <figcaption>
        <span>{language || "text"}</span>
        <CopyButton text={code} label="Copy code" />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: wide code scrolls, and the keyboard must reach it */}
      <pre tabIndex={0}>
        <code>{spans ? spans.map(span) : code}</code>
      </pre>
    </figure>
  );
}

function span([className, text]: HighlightSpan, index: number) {
  // Spans never move: the code is final when it is coloured.
  return className ? (
    <span key={index} className={className}>
      {text}
    </span>
  ) : (
    text
  );
}

function useHighlight(code: string, language: string, closed: boolean): HighlightSpan[] | null {
  const [spans, setSpans] = useState(() => (closed ? highlighted(code, language) : null));
  useEffect(() => {
    // Colouring a block that still grows would redo all of it with each token.
    if (!closed || !language) return;
    let current = true;
    highlight(code, language).then((result) => {
      if (current) setSpans(result);
    });
    return () => {
      current = false;
    };
  }, [code, language, closed]);
  return spans;
}
