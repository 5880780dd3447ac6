import type { Block } from "./blocks";

/**
 * The level each heading gets in the page, null for other blocks. Models begin at any depth and skip
 * some; a screen reader's outline must not. The page uses h1 and h2, so an answer begins at h3, and
 * a heading is one below the nearest shallower one before it.
 */
export function headingLevels(blocks: readonly Block[]): (number | null)[] {
  const open: number[] = [];
  return blocks.map(({ token }) => {
    if (token.type !== "heading") return null;
    const depth = token.depth as number;
    while ((open.at(-1) ?? 0) >= depth) open.pop();
    open.push(depth);
    return Math.min(2 + open.length, 6);
  });
}
