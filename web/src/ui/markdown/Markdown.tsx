import type { Token, Tokens } from "marked";
import { memo, type ReactNode, useRef } from "react";
import { type Blocks, noBlocks, readBlocks } from "@/lib/markdown/blocks";
import { headingLevels } from "@/lib/markdown/headings";
import { CodeBlock } from "./CodeBlock";
import { Inline } from "./Inline";

/** An answer. Blocks that cannot change any more are not rendered again while the rest is written. */
export const Markdown = memo(function Markdown({
  text,
  finished,
}: {
  text: string;
  finished: boolean;
}) {
  const before = useRef<{ blocks: Blocks; finished: boolean }>({
    blocks: noBlocks,
    finished: false,
  });
  const known = before.current;
  if (known.blocks.text !== text || known.finished !== finished) {
    before.current = { blocks: readBlocks(known.blocks, text, finished), finished };
  }
  const { blocks } = before.current.blocks;
  const levels = headingLevels(blocks);
  return (
    <div className="prose">
      {blocks.map((block, index) => (
        <BlockView
          key={block.key}
          token={block.token}
          closed={block.closed}
          level={levels[index] ?? null}
        />
      ))}
    </div>
  );
});

interface BlockViewProps {
  token: Token;
  closed: boolean;
  /** For a heading: its level in the page. Null inside of lists and quotes. */
  level: number | null;
}

const BlockView = memo(function BlockView({ token, closed, level }: BlockViewProps) {
  return block(token, closed, level);
});

function block(token: Token, closed: boolean, level: number | null): ReactNode {
  switch (token.type) {
    case "heading":
      return heading(token as Tokens.Heading, level);
    case "paragraph":
      return (
        <p>
          <Inline tokens={token.tokens} />
        </p>
      );
    case "code":
      return (
        <CodeBlock
          code={token.text}
          language={(token.lang ?? "").split(/[\s,{]/)[0] ?? ""}
          closed={closed}
        />
      );
    case "blockquote":
      return <blockquote>{nested(token.tokens, closed)}</blockquote>;
    case "list":
      return list(token as Tokens.List, closed);
    case "table":
      return <Table token={token as Tokens.Table} />;
    case "hr":
      return <hr />;
    case "html":
      return <p className="whitespace-pre-wrap">{token.raw.trimEnd()}</p>;
    case "space":
    case "def":
      return null;
    default: {
      const inner = "tokens" in token ? token.tokens : undefined;
      return <Inline tokens={inner ?? [token]} />;
    }
  }
}

function nested(tokens: readonly Token[] | undefined, closed: boolean): ReactNode {
  return tokens?.map((token, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: tokens of one block only ever grow at the end
    <BlockView key={index} token={token} closed={closed} level={null} />
  ));
}

function heading(token: Tokens.Heading, level: number | null): ReactNode {
  const content = <Inline tokens={token.tokens} />;
  const size = Math.min(token.depth, 4);
  // A heading in a list or quote is not a part of the page's outline.
  if (level === null) return <p className={`heading heading-${size}`}>{content}</p>;
  const Heading = `h${level}` as "h3";
  return <Heading className={`heading heading-${size}`}>{content}</Heading>;
}

function list(token: Tokens.List, closed: boolean): ReactNode {
  const items = token.items.map((item, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a list only ever grows at the end
    <li key={index}>{nested(item.tokens, closed)}</li>
  ));
  if (!token.ordered) return <ul>{items}</ul>;
  return <ol start={token.start === "" ? 1 : token.start}>{items}</ol>;
}

function Table({ token }: { token: Tokens.Table }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls, and the keyboard must reach it
    <section className="table-scroll" tabIndex={0} aria-label="Table">
      <table>
        <thead>
          <tr>
            {token.header.map((cell, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: columns do not move
              <th key={index} scope="col" style={{ textAlign: cell.align ?? "left" }}>
                <Inline tokens={cell.tokens} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {token.rows.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows only ever grow at the end
            <tr key={index}>
              {row.map((cell, column) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: columns do not move
                <td key={column} style={{ textAlign: cell.align ?? "left" }}>
                  <Inline tokens={cell.tokens} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
