import type { Turn } from "@/api/types";

/**
 * The page shows one path of a chat's tree, from the root to the head. A new turn takes its place
 * on that path: after its parent, or instead of a sibling, and what came after is another branch now.
 */
export function placeTurn(path: readonly Turn[], turn: Turn): Turn[] {
  const same = path.findIndex((other) => other.id === turn.id);
  if (same >= 0) return path.map((other, index) => (index === same ? turn : other));
  const sibling = path.findIndex((other) => other.parent === turn.parent);
  if (sibling >= 0) return [...path.slice(0, sibling), turn];
  const parent = path.findIndex((other) => other.id === turn.parent);
  if (parent >= 0) return [...path.slice(0, parent + 1), turn];
  return turn.parent === null ? [turn] : [...path, turn];
}

/** Where a turn stands among the answers to the same point of the chat: ‹ 2/3 ›. */
export function branchOf(turn: Turn): {
  position: number;
  count: number;
  previous: string | null;
  next: string | null;
} {
  const at = turn.siblings.indexOf(turn.id);
  return {
    position: Math.max(at, 0) + 1,
    count: Math.max(turn.siblings.length, 1),
    previous: (at > 0 && turn.siblings[at - 1]) || null,
    next: (at >= 0 && turn.siblings[at + 1]) || null,
  };
}
