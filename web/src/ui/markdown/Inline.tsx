import type { Token, Tokens } from "marked";
import { Fragment, type ReactNode } from "react";
import { decodeReferences, safeLink } from "@/lib/markdown/text";

/** Inline markdown as React elements. What is not understood, HTML above all, is shown as text. */
export function Inline({ tokens }: { tokens: readonly Token[] | undefined }): ReactNode {
  return tokens?.map((token, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: tokens of one block only ever grow at the end
    <Fragment key={index}>{inline(token)}</Fragment>
  ));
}

function inline(token: Token): ReactNode {
  switch (token.type) {
    case "strong":
      return (
        <strong>
          <Inline tokens={token.tokens} />
        </strong>
      );
    case "em":
      return (
        <em>
          <Inline tokens={token.tokens} />
        </em>
      );
    case "del":
      return (
        <del>
          <Inline tokens={token.tokens} />
        </del>
      );
    case "codespan":
      return <code className="code-span">{token.text}</code>;
    case "br":
      return <br />;
    case "link":
      return link(token as Tokens.Link);
    case "image":
      return image(token as Tokens.Image);
    case "checkbox":
      return token.checked ? "☑ " : "☐ ";
    case "html":
      return token.raw;
    case "escape":
      return token.text;
    case "text":
      return token.tokens ? <Inline tokens={token.tokens} /> : decodeReferences(token.text);
    default:
      return token.raw;
  }
}

function link(token: Tokens.Link): ReactNode {
  const href = safeLink(token.href);
  if (!href) return <Inline tokens={token.tokens} />;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      <Inline tokens={token.tokens} />
    </a>
  );
}

/** Loading a picture tells its host that this answer was read, so it is a link a person may follow. */
function image(token: Tokens.Image): ReactNode {
  const href = safeLink(token.href);
  const text = decodeReferences(token.text) || "picture";
  if (!href) return text;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {`${text} (picture at ${new URL(href).host})`}
    </a>
  );
}
