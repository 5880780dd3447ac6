import { create } from "zustand";

export type Theme = "system" | "light" | "dark";
const storageKey = "goblin-theme"; // public/theme.js reads it before the first paint

export const useTheme = create<{ theme: Theme }>(() => ({
  theme: (document.documentElement.dataset.theme as Theme | undefined) ?? "system",
}));

export function setTheme(theme: Theme): void {
  try {
    if (theme === "system") localStorage.removeItem(storageKey);
    else localStorage.setItem(storageKey, theme);
  } catch {
    // Without storage the choice lasts until the page is left.
  }
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  useTheme.setState({ theme });
}
