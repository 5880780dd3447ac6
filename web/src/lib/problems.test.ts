import { describe, expect, it } from "vitest";
import type { Problem } from "@/api/types";
import { ProblemError, problemOf, remedyOf, remedyOfProblem, UnreachableError } from "./problems";

const codes: Problem["code"][] = [
  "invalid_json",
  "invalid_request",
  "unauthorized",
  "forbidden",
  "not_found",
  "model_not_found",
  "conflict",
  "payload_too_large",
  "context_length_exceeded",
  "rate_limited",
  "insufficient_quota",
  "answer_rejected",
  "judge_unavailable",
  "upstream_failed",
  "no_provider",
  "deadline_exceeded",
  "unavailable",
  "upstream_rejected",
  "request_timeout",
  "internal",
];

function problem(code: Problem["code"], more: Partial<Problem> = {}): Problem {
  return {
    type: "about:blank",
    title: "T",
    status: 400,
    code,
    detail: "Because.",
    param: null,
    request_id: "r",
    ...more,
  };
}

describe("remedyOf", () => {
  it.each(codes)("says what happened and keeps the server's sentence: %s", (code) => {
    const remedy = remedyOfProblem(problem(code));
    expect(remedy.title.length).toBeGreaterThan(8);
    expect(remedy.detail).toBe("Because.");
  });

  it("counts down when the server said how long", () => {
    const remedy = remedyOf(new ProblemError(problem("rate_limited", { retry_after_seconds: 7 })));
    expect(remedy).toMatchObject({ action: "wait", seconds: 7 });
  });

  it("offers a retry when it did not", () => {
    expect(remedyOfProblem(problem("rate_limited")).action).toBe("retry");
  });

  it("asks for less when the prompt does not fit", () => {
    expect(remedyOfProblem(problem("context_length_exceeded")).action).toBe("shorten");
  });

  it("names the address nothing answered at", () => {
    const remedy = remedyOf(new UnreachableError("http://127.0.0.1:8001"));
    expect(remedy.detail).toContain("http://127.0.0.1:8001");
    expect(remedy.action).toBe("retry");
  });

  it("does not blame the server for a fault of the page", () => {
    expect(remedyOf(new TypeError("x is not a function")).title).toContain("page");
  });
});

describe("problemOf", () => {
  it("reads the errors of paths old clients know", () => {
    const given = {
      detail: "`email` must be an address.",
      error: {
        message: "x",
        type: "invalid_request_error",
        param: "email",
        code: "invalid_request",
      },
    };
    const found = problemOf(422, given, null);
    expect([found.detail, found.param, found.code]).toEqual([
      "`email` must be an address.",
      "email",
      "invalid_request",
    ]);
    expect("error" in found).toBe(false);
  });
  it("takes a problem as it is", () => {
    const given = problem("model_not_found", { param: "model" });
    expect(problemOf(404, given, null)).toEqual({ ...given, status: 404 });
  });

  it.each([
    [401, "unauthorized"],
    [404, "not_found"],
    [413, "payload_too_large"],
    [418, "invalid_request"],
    [429, "rate_limited"],
    [500, "internal"],
    [502, "upstream_failed"],
    [503, "unavailable"],
    [504, "deadline_exceeded"],
  ])("makes sense of a proxy's own page: %d is %s", (status, code) => {
    const found = problemOf(status, null, null);
    expect(found.code).toBe(code);
    expect(found.detail).toContain(String(status));
  });

  it("reads Retry-After in seconds and as a date", () => {
    expect(problemOf(429, null, "12").retry_after_seconds).toBe(12);
    const soon = new Date(Date.now() + 5000).toUTCString();
    expect(problemOf(429, null, soon).retry_after_seconds).toBeGreaterThanOrEqual(3);
    expect(problemOf(429, null, "nonsense").retry_after_seconds).toBeUndefined();
  });
});
