import { act } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Attachment } from "@/api/types";
import { draftFiles, setDraftFiles, useDraftFiles } from "@/lib/draftFiles";
import { render, settled } from "@/testing/render";
import { Line } from "@/testing/server";
import { aTurn } from "@/testing/turns";
import { attach, detach, mostFiles } from "./attaching";
import { useLiveTurns } from "./liveTurns";
import { useSending } from "./useSending";

/** The requests that send files, as far as the page sees them. */
class Upload {
  static made: Upload[] = [];
  upload: { onprogress?: (event: { loaded: number; total: number }) => void } = {};
  onload = () => {};
  onerror = () => {};
  onabort = () => {};
  status = 0;
  responseText = "";
  address = "";
  constructor() {
    Upload.made.push(this);
  }
  open(_: string, address: string) {
    this.address = address;
  }
  setRequestHeader() {}
  getResponseHeader = () => null;
  send() {}
  abort() {
    this.onabort();
  }
  answer(status: number, body: unknown) {
    this.status = status;
    this.responseText = JSON.stringify(body);
    this.onload();
  }
}

let field: ReturnType<typeof useSending>;

function Field() {
  field = useSending("c1");
  return null;
}

const last = () => Upload.made.at(-1) as Upload;
const file = (name: string) => new File(["some text"], name, { type: "text/plain" });
const kept = (id: string): Attachment => ({
  id,
  name: `${id}.txt`,
  kind: "text",
  media_type: "text/plain",
  bytes: 9,
});

beforeEach(() => {
  Upload.made = [];
  vi.stubGlobal("XMLHttpRequest", Upload);
});
afterEach(() => {
  vi.unstubAllGlobals();
  sessionStorage.clear();
  useDraftFiles.setState({}, true);
  useLiveTurns.setState({ turns: {}, pending: null });
});

describe("attaching a file", () => {
  it("says how far it is, and keeps over a reload what the server has", async () => {
    attach("c1", [file("größe.txt")]);
    expect(last().address).toContain("/api/attachments?name=gr%C3%B6%C3%9Fe.txt");
    last().upload.onprogress?.({ loaded: 3, total: 4 });
    expect(draftFiles("c1")[0]?.share).toBe(0.75);
    last().answer(201, kept("f1"));
    await settled();
    expect(draftFiles("c1")[0]).toMatchObject({ name: "f1.txt", attachment: kept("f1") });
    useDraftFiles.setState({}, true);
    expect(draftFiles("c1").map((one) => one.attachment?.id)).toEqual(["f1"]);
  });

  it("says why one was refused, and leaves the others alone", async () => {
    attach("c1", [file("a.txt"), file("b.txt")]);
    const [a, b] = Upload.made;
    a?.answer(400, { code: "invalid_request", detail: "The file is empty." });
    b?.answer(201, kept("f2"));
    await settled();
    expect(draftFiles("c1").map((one) => one.problem)).toEqual(["The file is empty.", null]);
  });

  it("forgets one that is removed, also on its way", async () => {
    attach("c1", [file("a.txt")]);
    const [one] = draftFiles("c1");
    if (one) detach("c1", one);
    await settled();
    expect(draftFiles("c1")).toEqual([]);
  });

  it("takes no more than a question may have", async () => {
    attach(
      "c1",
      Array.from({ length: mostFiles + 1 }, (_, at) => file(`${at}.txt`)),
    );
    expect(Upload.made.length).toBe(mostFiles);
    expect(draftFiles("c1").at(-1)?.problem).toContain("at most 10 files");
  });
});

describe("sending a question with files", () => {
  it("names them, gives them back when it fails, and empties the field once the server has it", async () => {
    const bodies: unknown[] = [];
    let answer: (response: Response) => void = () => {};
    let fail = () => {};
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
      bodies.push(JSON.parse(String(init.body)));
      return new Promise<Response>((resolve, reject) => {
        answer = resolve;
        fail = () => reject(new DOMException("gone", "AbortError"));
      });
    });
    const page = render(<Field />);
    setDraftFiles("c1", [
      { key: "1", name: "f1.txt", bytes: 9, share: 1, attachment: kept("f1"), problem: null },
    ]);
    act(() => void field.send("look"));
    await settled();
    expect(draftFiles("c1")).toEqual([]);
    expect(sessionStorage.getItem("goblin-draft:files:c1")).toContain("f1");
    fail();
    await settled();
    expect(draftFiles("c1").map((one) => one.key)).toEqual(["1"]);
    act(() => void field.failure?.retry());
    await settled();
    const line = new Line();
    line.begin(aTurn({ attachments: [kept("f1")] }));
    answer(line.response);
    await settled();
    expect(bodies).toEqual([
      { content: "look", attachments: ["f1"] },
      { content: "look", attachments: ["f1"] },
    ]);
    expect(draftFiles("c1")).toEqual([]);
    expect(sessionStorage.getItem("goblin-draft:files:c1")).toBeNull();
    page.leave();
  });
});
