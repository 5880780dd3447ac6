// Pictures a journey takes of what it has come to: only with GOBLIN_PICTURES=1, because two runs never show the same.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { still } from "./until.mjs";

/** Writes `docs/FOLDER/NAME.png`. */
export async function picture(page, name, folder = "images") {
  if (!process.env.GOBLIN_PICTURES) return;
  const place = fileURLToPath(new URL(`../../docs/${folder}/`, import.meta.url));
  mkdirSync(place, { recursive: true });
  await page.evaluate(() => document.fonts.ready);
  await still(page);
  await page.screenshot({ path: `${place}${name}.png` });
}
