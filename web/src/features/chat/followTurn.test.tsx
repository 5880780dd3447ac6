import { act } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { turnsQuery } from "@/api/queries";
import type { Turn } from "@/api/types";
import { render, settled } from "@/testing/render";
import { json, Line, serve } from "@/testing/server";
import { aTurn } from "@/testing/turns";
import { askTurn } from "./followTurn";
import { useLiveTurns } from "./liveTurns";
import { useTurn, useTurnPath } from "./useTurnPath";

const finished = (turn: Turn): Turn => ({ ...turn, status: "complete", answer: `${turn.id}!` });
const x = finished(aTurn({ id: "x" }));
const a = aTurn({ id: "a", parent: "x" });

let page: ReturnType<typeof render>;
afterEach(() => {
  page.leave();
  vi.unstubAllGlobals();
  useLiveTurns.setState({ turns: {}, pending: null });
});

function Row({ turn }: { turn: Turn }) {
  const shown = useTurn(turn).turn;
  return (
    <span>
      {shown.id}={shown.status}
    </span>
  );
}

function Path() {
  const { turns } = useTurnPath("c1");
  return turns.map((turn) => <Row key={turn.id} turn={turn} />);
}

const shown = () => [...page.host.querySelectorAll("span")].map((row) => row.textContent);

describe("two answers being written in one chat", () => {
  let lineA: Line;
  let later: Line;
  /** What the server has on the active branch. */
  let branch: Turn[];

  beforeEach(async () => {
    [lineA, later] = [new Line(), new Line()];
    branch = [x];
    serve({
      "POST /api/chats/c1/turns": () => lineA.response,
      "POST /api/turns/a/edit": () => later.response,
      "POST /api/turns/x/regenerate": () => later.response,
      "GET /api/chats/c1/turns": () => json({ items: branch, has_more: false }),
    });
    page = render(<Path />);
    await settled();
    const asked = { kind: "create" as const, chatId: "c1", body: { content: "A" } };
    act(() => void askTurn(page.client, { chatId: "c1", content: "A", asked }));
    lineA.begin(a);
    await settled();
    expect(shown()).toEqual(["x=complete", "a=streaming"]);
  });

  const b = aTurn({ id: "b", parent: "x" });
  const c = aTurn({ id: "c" });

  async function edit() {
    const asked = { kind: "edit" as const, turnId: "a", content: "B" };
    act(() => void askTurn(page.client, { chatId: "c1", content: "B", asked }));
    later.begin(b);
    branch = [x, b];
    await settled();
    expect(shown()).toEqual(["x=complete", "b=streaming"]);
  }

  async function regenerate() {
    const asked = { kind: "regenerate" as const, turnId: "x" };
    act(() => void askTurn(page.client, { chatId: "c1", content: "X", asked }));
    later.begin(c);
    branch = [c];
    await settled();
    expect(shown()).toEqual(["c=streaming"]);
  }

  async function end(line: Line, turn: Turn) {
    branch = branch.map((other) => (other.id === turn.id ? finished(turn) : other));
    line.end(finished(turn));
    await settled();
  }

  it("the edited question stays when it ends first", async () => {
    await edit();
    await end(later, b);
    expect(shown()).toEqual(["x=complete", "b=complete"]);
    await end(lineA, a);
    expect(shown()).toEqual(["x=complete", "b=complete"]);
  });

  it("the edited question stays when it ends last", async () => {
    await edit();
    await end(lineA, a);
    expect(shown()).toEqual(["x=complete", "b=streaming"]);
    await end(later, b);
    expect(shown()).toEqual(["x=complete", "b=complete"]);
  });

  it("an answer to a replaced turn never hangs below its replacement, ending last", async () => {
    await regenerate();
    await end(later, c);
    expect(shown()).toEqual(["c=complete"]);
    await end(lineA, a);
    expect(shown()).toEqual(["c=complete"]);
  });

  it("an answer to a replaced turn never hangs below its replacement, ending first", async () => {
    await regenerate();
    await end(lineA, a);
    expect(shown()).toEqual(["c=streaming"]);
    await end(later, c);
    expect(shown()).toEqual(["c=complete"]);
  });
});

describe("an answer that was being written when the page was loaded", () => {
  it("stays on the page when it ends and the list cannot be read again", async () => {
    const line = new Line();
    const asked = serve({ "GET /api/turns/a/events": () => line.response });
    page = render(<Path />);
    await settled();
    act(() => {
      page.client.setQueryData(turnsQuery("c1").queryKey, {
        pages: [{ items: [x, a], has_more: false }],
        pageParams: [undefined],
      });
    });
    await settled();
    line.begin(a);
    await settled();
    expect(shown()).toEqual(["x=complete", "a=streaming"]);
    const before = asked.length;
    line.end(finished(a));
    await settled();
    await vi.waitFor(() => expect(useLiveTurns.getState().turns).toEqual({}));
    await settled();
    expect(shown()).toEqual(["x=complete", "a=complete"]);
    expect(asked.length).toBe(before);
  });
});
