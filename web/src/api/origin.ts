import { nothingWanted, wantedIn } from "@/lib/pageReports";

/** Where the API lives. Read once at start from /config.json; "" is the page's own origin. */
let origin = "";
let wanted = nothingWanted;

export async function loadOrigin(): Promise<void> {
  try {
    const response = await fetch("/config.json", { cache: "no-cache" });
    const config: unknown = response.ok ? await response.json() : null;
    const given = (config as { api_origin?: unknown } | null)?.api_origin;
    if (typeof given === "string") origin = given.replace(/\/+$/, "");
    wanted = wantedIn(config);
  } catch {
    // Not there or not JSON: then the page and the API share an origin, as in the binary.
  }
}

export const apiOrigin = () => origin;

/** What the operator wants to be told of the page. */
export const wantedReports = () => wanted;

/** The address to show a person when nothing answers there. */
export const apiAddress = () => origin || window.location.origin;
