import { create } from "zustand";

const storageKey = "goblin-single-keys";

/** Keys without Ctrl can be turned off: speech input types letters nobody meant as commands. */
export const useSingleKeys = create<{ on: boolean }>(() => ({ on: read() }));

export function setSingleKeys(on: boolean): void {
  useSingleKeys.setState({ on });
  try {
    localStorage.setItem(storageKey, on ? "on" : "off");
  } catch {
    // Without storage the choice lasts until the page is left.
  }
}

function read(): boolean {
  try {
    return localStorage.getItem(storageKey) !== "off";
  } catch {
    return true;
  }
}
