import { after, before } from "node:test";
import { startGoblin } from "./goblin.mjs";
import { openBrowser } from "./page.mjs";

/** One server and one browser for all journeys of a file. */
export function journeys() {
  const shared = { goblin: null, browser: null };
  before(async () => {
    shared.goblin = await startGoblin();
    shared.browser = await openBrowser();
  });
  after(async () => {
    await shared.browser?.close();
    await shared.goblin?.stop();
  });
  return shared;
}
