/**
 * highlight.js gives HTML. The page turns no text into HTML, so its output, which consists of
 * nothing but `<span class="hljs-…">`, `</span>` and five character references, is read into a
 * list of [class, text]. Anything else in it would be shown as text.
 */
export type HighlightSpan = readonly [className: string, text: string];

const pieces = /<span class="([^"]*)">|(<\/span>)/g;
const references: Record<string, string> = {
  "&lt;": "<",
  "&gt;": ">",
  "&amp;": "&",
  "&quot;": '"',
  "&#x27;": "'",
};

export function highlightSpans(html: string): HighlightSpan[] {
  const spans: HighlightSpan[] = [];
  const open: string[] = [];
  let from = 0;
  const push = (until: number) => {
    if (until > from) spans.push([open.at(-1) ?? "", plain(html.slice(from, until))]);
  };
  for (const match of html.matchAll(pieces)) {
    push(match.index);
    from = match.index + match[0].length;
    if (match[2]) open.pop();
    else open.push(match[1] ?? "");
  }
  push(html.length);
  return spans;
}

function plain(text: string): string {
  return text.replace(
    /&(?:lt|gt|amp|quot|#x27);/g,
    (reference) => references[reference] ?? reference,
  );
}
