import { expect, it } from "vitest";
import { fileSize } from "./fileSize";

it("says a size as people do", () => {
  const sizes: [number, string][] = [
    [0, "0 bytes"],
    [999, "999 bytes"],
    [1000, "1.0 kB"],
    [9_960, "10 kB"],
    [999_600, "1.0 MB"],
    [20_971_520, "21 MB"],
    [5e12, "5000 GB"],
  ];
  for (const [bytes, said] of sizes) expect(fileSize(bytes)).toBe(said);
});
