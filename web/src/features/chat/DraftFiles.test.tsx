import { act } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { statusQuery } from "@/api/queries";
import type { Attachment } from "@/api/types";
import { type DraftFile, draftFiles, ready, setDraftFiles, useDraftFiles } from "@/lib/draftFiles";
import { render, settled } from "@/testing/render";
import { serve } from "@/testing/server";
import { aModel, aStatus } from "@/testing/status";
import DraftFiles from "./DraftFiles";

const kept = (id: string, kind: Attachment["kind"]): DraftFile =>
  ready({
    id,
    name: id,
    kind,
    media_type: kind === "image" ? "image/png" : "text/plain",
    bytes: 9,
  });

const blind = aModel({ id: "ollama/phi3" });
const seeing = aModel({ id: "ollama/llava", capabilities: ["chat", "vision"] });

let page: ReturnType<typeof render>;
let emptied: number;

function show(files: DraftFile[], chosen: string | null, models = [blind]) {
  setDraftFiles("c1", files);
  page = render(null);
  page.client.setQueryData(statusQuery.queryKey, aStatus({ models }));
  page.show(<DraftFiles draft="c1" chosen={chosen} onEmptied={() => emptied++} />);
}

beforeEach(() => {
  emptied = 0;
  serve({ "GET /api/attachments/p.png": () => new Response(new Blob(["x"])) });
});
afterEach(() => {
  page.leave();
  vi.unstubAllGlobals();
  sessionStorage.clear();
  useDraftFiles.setState({}, true);
});

const hint = () => page.host.querySelector("[role=status]")?.textContent ?? null;

it("says before it is sent that a model takes no pictures", async () => {
  show([kept("p.png", "image")], "ollama/phi3", [blind, seeing]);
  await settled();
  expect(hint()).toMatch(/^phi3 reads text only\. Choose a model/);
  page.leave();
  show([kept("p.png", "image")], "ollama/llava", [blind, seeing]);
  expect(hint()).toBeNull();
  page.leave();
  show([kept("p.png", "image")], null, [blind, seeing]);
  expect(hint()).toBeNull();
  page.leave();
  show([kept("p.png", "image")], null, [blind]);
  expect(hint()).toMatch(/^No model that is here takes pictures/);
  page.leave();
  show([kept("notes.txt", "text")], "ollama/phi3", [blind]);
  expect(hint()).toBeNull();
});

it("shows each file with what became of it, and lets it be removed", async () => {
  const sending = { ...kept("big.txt", "text"), share: 0.5, attachment: null };
  const refused = { ...sending, key: "x", name: "x.bin", problem: "Only these are taken." };
  show([kept("notes.txt", "text"), sending, refused], null);
  const items = [...page.host.querySelectorAll("li")].map((item) => item.textContent);
  expect(items[0]).toBe("notes.txt9 bytes");
  expect(items[2]).toContain("Only these are taken.");
  const progress = page.host.querySelector("progress");
  expect([progress?.value, progress?.getAttribute("aria-label")]).toEqual([0.5, "Sending big.txt"]);
  for (const name of ["notes.txt", "big.txt", "x.bin"]) {
    const button = page.host.querySelector<HTMLElement>(`[aria-label="Remove ${name}"]`);
    act(() => button?.click());
  }
  expect(draftFiles("c1")).toEqual([]);
  expect(emptied).toBe(1);
});
