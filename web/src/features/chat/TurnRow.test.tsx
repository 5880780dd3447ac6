import { act } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Turn } from "@/api/types";
import { reduceTurn, startTurn, type TurnEvent } from "@/lib/turnReducer";
import { render } from "@/testing/render";
import { aSummary } from "@/testing/traces";
import { aTurn } from "@/testing/turns";
import { keepEarlier, useLiveTurns } from "./liveTurns";
import { type TurnActions, TurnRow } from "./TurnRow";

const actions = {
  onTrace: vi.fn(),
  onFeedback: vi.fn(async () => true),
  onBetter: vi.fn(async () => true),
  onSecondOpinion: vi.fn(),
  onRegenerate: vi.fn(),
  onEdit: vi.fn(),
  onEdited: vi.fn(),
  onBranch: vi.fn(),
} satisfies TurnActions;

let page: ReturnType<typeof render>;
beforeEach(() => {
  vi.clearAllMocks();
  useLiveTurns.setState({ turns: {}, kept: {}, pending: null });
});
afterEach(() => page.leave());

function show(turn: Turn) {
  page = render(<TurnRow turn={turn} last editing={false} actions={actions} />);
}
const text = () => page.host.textContent ?? "";
const button = (label: string) =>
  page.host.querySelector<HTMLButtonElement>(`button[aria-label="${label}"]`);

/** The turn as it is after these events of its stream. */
function live(events: TurnEvent[]) {
  const state = events.reduce(reduceTurn, startTurn(aTurn()));
  const turn = { chatId: "c1", state, begun: aTurn(), placed: true, reconnecting: false };
  act(() => useLiveTurns.setState({ turns: { t1: turn } }));
  return state;
}

const superseded: TurnEvent[] = [
  { name: "delta", id: 1, text: "First try." },
  {
    name: "superseded",
    id: 2,
    model: "ollama/gemma:2b",
    by: "ollama/mistral:7b",
    local: true,
    why: "It was not sure enough.",
  },
];

it("says what is being checked while text is held", () => {
  show(aTurn());
  live([{ name: "checking", id: 1, part: "prompt", judge: "ollama/gemma:2b", heldTokens: 0 }]);
  expect(text()).toContain("Checking the question");
  live([
    { name: "delta", id: 1, text: "So." },
    { name: "checking", id: 2, part: "window", judge: "ollama/gemma:2b", heldTokens: 52 },
  ]);
  expect(text()).toContain("What follows is being checked by gemma:2b");
  expect(text()).toContain("52 tokens held");
});

it("keeps an answer that was put aside, says why, and writes the better one below it", () => {
  show(aTurn());
  live([...superseded, { name: "delta", id: 3, text: "Second." }]);
  const shown = text();
  for (const part of ["First try.", "gemma:2b was put aside", "It was not sure enough."]) {
    expect(shown).toContain(part);
  }
  expect(shown.indexOf("First try.")).toBeLessThan(shown.indexOf("Second."));
  expect(page.host.querySelectorAll("[data-testid=answer]")).toHaveLength(1);
  const hide = [...page.host.querySelectorAll("button")].find(
    (one) => one.textContent === "Hide it",
  );
  act(() => hide?.click());
  expect(text()).not.toContain("First try.");
});

it("keeps it on the page when the turn has ended", () => {
  show(aTurn({ status: "complete", answer: "Second." }));
  const state = live(superseded);
  act(() => {
    useLiveTurns.setState({ turns: {} });
    keepEarlier("t1", state.earlier);
  });
  expect(text()).toContain("First try.");
  expect(text()).toContain("Second.");
});

it("shows nothing of an answer that was taken back, but the rule", () => {
  show(aTurn());
  live([
    { name: "delta", id: 1, text: "Mix these two" },
    { name: "retracted", id: 2, model: "ollama/gemma:2b", rule: "safety:harm", why: "Unsafe." },
  ]);
  expect(text()).not.toContain("Mix these two");
  expect(text()).toContain("was taken back");
  expect(text()).toContain("it could do harm");
});

it("says by which rule a finished answer was refused", () => {
  show(
    aTurn({
      status: "complete",
      finish_reason: "content_filter",
      trace: aSummary({ refused_by: "safety:self_harm", outcome: "rejected" }),
    }),
  );
  expect(text()).toContain("This answer was refused.");
  expect(text()).toContain("The rule: self-harm.");
  expect(button("Good answer"), "of no answer nothing can be said").toBeNull();
});

it("opens the trace from the line under the answer, and rates with thumbs", () => {
  const turn = aTurn({ status: "complete", answer: "So.", trace: aSummary() });
  show(turn);
  const line = page.host.querySelector<HTMLButtonElement>("[data-testid=facts]");
  expect(line?.textContent).toContain("81% sure, not calibrated");
  act(() => line?.click());
  expect(actions.onTrace).toHaveBeenCalledWith(turn);
  expect(button("Good answer")?.getAttribute("aria-pressed")).toBe("false");
  act(() => button("Good answer")?.click());
  expect(actions.onFeedback).toHaveBeenCalledWith(turn, { rating: "up" });
  expect(button("Better than the other answers")).toBeNull();
});

it("takes a thumb back, asks what was wrong, and compares with other versions", () => {
  const feedback = {
    rating: "down" as const,
    better_turn: null,
    better_than: [],
    second_opinion: null,
    comment: "Too short.",
    updated_at: "2026-11-23T10:00:00Z",
  };
  const turn = aTurn({ status: "complete", answer: "So.", siblings: ["t0", "t1"], feedback });
  show(turn);
  expect(page.host.querySelector("textarea")?.value).toBe("Too short.");
  act(() => button("Bad answer")?.click());
  expect(actions.onFeedback).toHaveBeenCalledWith(turn, { rating: null });
  act(() => button("Better than the other answers")?.click());
  expect(actions.onBetter).toHaveBeenCalledWith(turn, true);
});
