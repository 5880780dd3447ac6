import { act } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readDraft } from "@/lib/useDraft";
import { render, settled } from "@/testing/render";
import { Line } from "@/testing/server";
import { aTurn } from "@/testing/turns";
import { useLiveTurns } from "./liveTurns";
import { useSending } from "./useSending";

let page: ReturnType<typeof render>;
let field: ReturnType<typeof useSending>;
let sent: string[];
let answer: (response: Response) => void;
let fail: () => void;

function Field() {
  field = useSending("c1");
  return null;
}

beforeEach(() => {
  sent = [];
  vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
    sent.push(JSON.parse(String(init.body)).content);
    return new Promise<Response>((resolve, reject) => {
      answer = resolve;
      fail = () => reject(new DOMException("gone", "AbortError"));
    });
  });
  page = render(<Field />);
});
afterEach(() => {
  page.leave();
  sessionStorage.clear();
  vi.unstubAllGlobals();
  useLiveTurns.setState({ turns: {}, pending: null });
});

async function send(text: string) {
  act(() => field.setDraft(text));
  act(() => void field.send(text));
  await settled();
  expect(field.draft).toBe("");
  expect(readDraft("c1")).toBe(text);
}

async function failed() {
  fail();
  await settled();
  expect(field.failure).not.toBeNull();
}

async function arrives() {
  const line = new Line();
  line.begin(aTurn());
  answer(line.response);
  await settled();
  expect(field.failure).toBeNull();
}

async function retry() {
  act(() => void field.failure?.retry());
  await settled();
}

describe("sending a question", () => {
  it("clears the field and its stored copy once the server has it", async () => {
    await send("one");
    await arrives();
    expect([field.draft, readDraft("c1")]).toEqual(["", ""]);
  });

  it("gives the words back when it fails, and sends the same again", async () => {
    await send("one");
    await failed();
    expect(field.draft).toBe("one");
    await retry();
    expect(sent).toEqual(["one", "one"]);
  });

  it("sends what the field says by then", async () => {
    await send("one");
    await failed();
    act(() => field.setDraft("one, better"));
    await retry();
    expect(sent).toEqual(["one", "one, better"]);
  });

  it("sends the first words again when the field was emptied", async () => {
    await send("one");
    await failed();
    act(() => field.setDraft(" "));
    await retry();
    expect(sent).toEqual(["one", "one"]);
  });

  it("keeps what was written while the question was on its way", async () => {
    await send("one");
    act(() => field.setDraft("two"));
    await arrives();
    expect([field.draft, readDraft("c1")]).toEqual(["two", "two"]);
  });

  it("loses neither text when it fails after more was written", async () => {
    await send("one");
    act(() => field.setDraft("two"));
    await failed();
    expect(field.draft).toBe("one\n\ntwo");
    expect(readDraft("c1")).toBe("one\n\ntwo");
  });
});
