import { expect, test } from "vitest";
import { PasskeyError, wordsOf } from "./passkeys";
import { remedyOf } from "./problems";

test("each refusal of the browser is said in a sentence that says what to do", () => {
  const said = new Set(
    [
      "InvalidStateError",
      "NotAllowedError",
      "NotSupportedError",
      "SecurityError",
      "UnknownError",
    ].map((name) => wordsOf(new DOMException("", name))),
  );
  expect(said.size).toBe(5);
  for (const sentence of said) expect(sentence).toMatch(/^[A-Z].*\.$/);
  expect(wordsOf(new Error("secret inside"))).not.toContain("secret");
});

test("what the browser says is shown as it is", () => {
  const remedy = remedyOf(new PasskeyError("It was cancelled."));
  expect(remedy).toMatchObject({ detail: "It was cancelled.", action: "retry" });
});
