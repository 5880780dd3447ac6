// Waiting for what is meant, and never for a while: every wait of a journey names its condition.

const PACE_MS = 50;
const HANG_MS = 60_000;

/**
 * Looks again until `look` gives something, and returns it. For what a server does in its own time and
 * tells nobody; what the page shows is waited for with Playwright's own locators.
 */
export async function until(what, look) {
  const deadline = Date.now() + HANG_MS;
  while (Date.now() < deadline) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, PACE_MS));
  }
  throw new Error(`hangs: ${what}`);
}

/** Transitions are over: colours and places are those that stay. What turns for ever is not waited for. */
export async function still(page) {
  await page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const moving = () =>
      document
        .getAnimations()
        .filter(({ playState }) => playState === "running")
        .filter(({ effect }) => effect.getComputedTiming().endTime !== Number.POSITIVE_INFINITY);
    // What was just done begins to move with the next frame.
    await frame();
    await frame();
    for (let all = moving(); all.length > 0; all = moving()) {
      await Promise.allSettled(all.map(({ finished }) => finished));
      await frame();
    }
  });
}

/** A scrolled box has come to rest: it, and what it holds, are at the same place for ten frames in a row. */
export async function resting(scroller) {
  await scroller.evaluate(async (box) => {
    const place = () => [box.scrollTop, box.scrollHeight].join();
    for (let same = 0, before = place(); same < 10; before = place()) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      same = place() === before ? same + 1 : 0;
    }
  });
}
