import { Lexer, type Token } from "marked";

/**
 * Markdown of an answer, cut into blocks. While an answer is being written only its last block can
 * still change, so the blocks before it are kept as they are (the same objects, which lets React
 * skip them) and only the tail is read again.
 */
export interface Block {
  readonly key: number;
  readonly token: Token;
  /** Nothing can change this block any more: a code block may be highlighted. */
  readonly closed: boolean;
}

export interface Blocks {
  readonly text: string;
  readonly blocks: readonly Block[];
  /** Where the first block that may still change begins in `text`. */
  readonly tail: number;
}

export const noBlocks: Blocks = { text: "", blocks: [], tail: 0 };

export function readBlocks(before: Blocks, text: string, finished: boolean): Blocks {
  const continues = text.startsWith(before.text) && !finished;
  const settled = continues ? before.blocks.filter((block) => block.closed) : [];
  const from = continues ? before.tail : 0;
  const tokens = lex(text.slice(from));
  const lastIndex = firstOpen(tokens);

  const blocks = [...settled];
  let tail = from;
  let at = from;
  tokens.forEach((token, index) => {
    const closed = finished || index < lastIndex;
    if (token.type !== "space" && token.type !== "def") {
      blocks.push({ key: blocks.length, token, closed });
    }
    at += token.raw.length;
    if (closed && index < lastIndex) tail = at;
  });
  return { text, blocks: finished ? keepSame(before.blocks, blocks) : blocks, tail };
}

/** The last block is open, and so is a list right before it: "2" may yet become its item "2.". */
function firstOpen(tokens: readonly Token[]): number {
  const last = tokens.findLastIndex((token) => token.type !== "space");
  const before = tokens.findLastIndex((token, index) => index < last && token.type !== "space");
  return tokens[before]?.type === "list" ? before : last;
}

/** The final reading sees link definitions the first one could not; what came out equal stays the same object. */
function keepSame(before: readonly Block[], after: Block[]): Block[] {
  return after.map((block, index) => {
    const old = before[index];
    return old?.closed && old.token.raw === block.token.raw && sameLinks(old, block) ? old : block;
  });
}

function sameLinks(left: Block, right: Block): boolean {
  return (
    !right.token.raw.includes("[") || JSON.stringify(left.token) === JSON.stringify(right.token)
  );
}

function lex(text: string): Token[] {
  // marked counts on line feeds; its own normalising would make `raw` lengths differ from ours.
  return new Lexer({ gfm: true, breaks: false }).lex(text.replace(/\r/g, " "));
}
