import { create } from "zustand";

/** What a screen reader is told. One sentence per event worth knowing, never one per token. */
export const useAnnouncement = create<{ text: string; count: number }>(() => ({
  text: "",
  count: 0,
}));

export function announce(text: string): void {
  useAnnouncement.setState((before) => ({ text, count: before.count + 1 }));
}
