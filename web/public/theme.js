// Runs before the first paint, so the page never flashes in the wrong theme.
try {
  const theme = localStorage.getItem("goblin-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage can be forbidden; then the system's preference decides.
}
