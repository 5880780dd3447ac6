import { useEffect, useRef } from "react";

/**
 * The page's keys. One table, so the help dialog cannot lie; whoever can do a thing registers for
 * its name, and one listener calls whoever is there.
 */
export type ShortcutName =
  | "new-chat"
  | "stop"
  | "sidebar"
  | "settings"
  | "focus"
  | "edit"
  | "regenerate"
  | "copy"
  | "trace"
  | "undo"
  | "help";

export interface Shortcut {
  name: ShortcutName | null;
  /** "mod" is Ctrl, and ⌘ on a Mac. Null name: handled by the question field itself. */
  keys: string;
  does: string;
  /** A key by itself works only when nobody is typing, and can be turned off (WCAG 2.1.4). */
  single: boolean;
}

export const shortcuts: readonly Shortcut[] = [
  { name: null, keys: "Enter", does: "Send the question", single: false },
  { name: null, keys: "Shift+Enter", does: "Begin a new line", single: false },
  { name: "stop", keys: "Escape", does: "Stop the answer", single: false },
  { name: "new-chat", keys: "mod+K", does: "Start a new chat", single: false },
  { name: "sidebar", keys: "mod+B", does: "Show or hide the chats", single: false },
  { name: "settings", keys: "mod+,", does: "Settings of this chat", single: false },
  { name: "undo", keys: "mod+Z", does: "Bring back a deleted chat (10 seconds)", single: false },
  { name: "focus", keys: "/", does: "Go to the question field", single: true },
  { name: "edit", keys: "E", does: "Edit the last question", single: true },
  { name: "regenerate", keys: "R", does: "Answer the last question again", single: true },
  { name: "copy", keys: "C", does: "Copy the last answer", single: true },
  { name: "trace", keys: "W", does: "Why the last answer is as it is", single: true },
  { name: "help", keys: "?", does: "Show this list", single: true },
];

export interface KeyPress {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

export function matchShortcut(
  press: KeyPress,
  where: { typing: boolean; singleKeys: boolean },
): ShortcutName | null {
  const mod = press.ctrlKey || press.metaKey;
  for (const { name, keys, single } of shortcuts) {
    if (name === null || press.altKey) continue;
    const key = keys.replace("mod+", "").toLowerCase();
    if (key !== press.key.toLowerCase() || keys.startsWith("mod+") !== mod) continue;
    if (single && (where.typing || !where.singleKeys)) continue;
    // Undo in a field undoes typing.
    if (name === "undo" && (where.typing || press.shiftKey)) continue;
    return name;
  }
  return null;
}

type Handler = () => void;
const handlers = new Map<ShortcutName, Handler[]>();

/** Registers while mounted; null means "not now". The last one registered goes first. */
export function useShortcut(name: ShortcutName, handler: Handler | null): void {
  const latest = useRef(handler);
  latest.current = handler;
  const active = handler !== null;
  useEffect(() => {
    if (!active) return;
    const call = () => latest.current?.();
    handlers.set(name, [...(handlers.get(name) ?? []), call]);
    return () => {
      handlers.set(name, handlers.get(name)?.filter((other) => other !== call) ?? []);
    };
  }, [name, active]);
}

export function runShortcut(name: ShortcutName): boolean {
  const handler = handlers.get(name)?.at(-1);
  handler?.();
  return handler !== undefined;
}
