import { describe, expect, it } from "vitest";
import { troubleElsewhere } from "./elsewhere";

describe("coming back from a provider", () => {
  it("says what happened, for each word of the server", () => {
    expect(troubleElsewhere("?error=not_invited")).toContain("Nobody here invited");
    expect(troubleElsewhere("?error=expired")).toContain("Begin again");
  });

  it("says nothing when nothing is wrong, and never repeats what is in the address", () => {
    expect(troubleElsewhere("")).toBeNull();
    expect(troubleElsewhere("?linked=google")).toBeNull();
    const odd = troubleElsewhere("?error=<b>call 555</b>");
    expect(odd).toBe("This did not work. Try again in a moment.");
    expect(troubleElsewhere("?error=toString")).not.toContain("native");
  });
});
