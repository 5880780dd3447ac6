/**
 * A tab may stay open while the release behind its address changes, forward or back. A part of the page that it loads only
 * then is gone there (404); loading the whole page anew brings the parts of the release that serves. What was being
 * written is kept by `useDraft`, and a running answer is followed again from where it stood.
 */
const key = "goblin-reloaded-at";
/** A second failure within this time has another cause: loading anew once more would go round in circles. */
const pauseMs = 30_000;

/** Whether a part that did not load is a reason to load the page anew; remembers that it was one. */
export function mayReload(now: number, storage: Pick<Storage, "getItem" | "setItem">): boolean {
  try {
    if (now - Number(storage.getItem(key) ?? Number.NEGATIVE_INFINITY) < pauseMs) return false;
    storage.setItem(key, String(now));
    return true;
  } catch {
    // Without a memory, no end could be seen to it.
    return false;
  }
}

/** Vite says that a part did not load by this event; see its guide, "Load Error Handling". */
export function reloadWhenStale(): void {
  window.addEventListener("vite:preloadError", (event) => {
    if (!mayReload(Date.now(), sessionStorage)) return;
    event.preventDefault();
    window.location.reload();
  });
}
