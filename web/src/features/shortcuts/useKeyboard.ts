import { useEffect } from "react";
import { matchShortcut, runShortcut } from "@/lib/shortcuts";
import { useSingleKeys } from "./singleKeys";

/** The one listener for the page's keys. */
export function useKeyboard(): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      // An open dialog or menu has its own meaning for Escape and letters.
      if (document.querySelector("dialog[open], [role=menu]")) return;
      const typing =
        event.target instanceof HTMLElement &&
        (event.target.isContentEditable || event.target.matches("input, textarea, select"));
      const name = matchShortcut(event, { typing, singleKeys: useSingleKeys.getState().on });
      if (name && runShortcut(name)) event.preventDefault();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}
