import { create } from "zustand";
import type { Attachment } from "@/api/types";

/** A file beside the words of a draft. */
export interface DraftFile {
  key: string;
  name: string;
  bytes: number;
  /** How much of it the server has, 0 to 1. */
  share: number;
  /** Once the server has it. */
  attachment: Attachment | null;
  /** Why it could not be attached. */
  problem: string | null;
}

/** Files of drafts, by the draft's key. What the server has is kept for the life of the tab, as the words are. */
export const useDraftFiles = create<Record<string, readonly DraftFile[]>>(() => ({}));

const none: readonly DraftFile[] = [];
const prefix = "goblin-draft:files:";

export function draftFiles(draft: string): readonly DraftFile[] {
  return useDraftFiles.getState()[draft] ?? stored(draft);
}

export function setDraftFiles(draft: string, files: readonly DraftFile[]): void {
  useDraftFiles.setState({ [draft]: files });
  store(draft, files);
}

/** Takes them out of the field. They stay stored, as the words do, until `setDraftFiles` says what is there now. */
export function takeDraftFiles(draft: string): readonly DraftFile[] {
  const files = draftFiles(draft);
  useDraftFiles.setState({ [draft]: none });
  return files;
}

/** Whoever attached them is gone; what is stored goes with the words. */
export const forgetDraftFiles = () => useDraftFiles.setState({}, true);

/** The same files beside another draft. */
export function moveDraftFiles(from: string, to: string): void {
  const files = draftFiles(from);
  if (files.length > 0) setDraftFiles(to, files);
  setDraftFiles(from, none);
}

export const useFilesOf = (draft: string): readonly DraftFile[] =>
  useDraftFiles((state) => state[draft]) ?? stored(draft);

/** Can the question go? Not while a file is on its way, nor beside one that was refused. */
export const areSettled = (files: readonly DraftFile[]) => files.every((file) => file.attachment);

export const havePictures = (files: readonly DraftFile[]) =>
  files.some((file) => file.attachment?.kind === "image");

export const idsOf = (files: readonly DraftFile[]) =>
  files.flatMap((file) => (file.attachment ? [file.attachment.id] : []));

// One list for one text, so that nothing is drawn again for a list that is the same.
const read = new Map<string, readonly DraftFile[]>();

function stored(draft: string): readonly DraftFile[] {
  let text: string | null = null;
  try {
    text = sessionStorage.getItem(prefix + draft);
  } catch {
    // Then nothing was kept.
  }
  if (!text) return none;
  const known = read.get(text);
  if (known) return known;
  const files = (JSON.parse(text) as Attachment[]).map(ready);
  read.set(text, files);
  return files;
}

export const ready = (attachment: Attachment): DraftFile => ({
  key: attachment.id,
  name: attachment.name,
  bytes: attachment.bytes,
  share: 1,
  attachment,
  problem: null,
});

function store(draft: string, files: readonly DraftFile[]): void {
  const kept = files.flatMap((file) => (file.attachment ? [file.attachment] : []));
  try {
    if (kept.length === 0) sessionStorage.removeItem(prefix + draft);
    else sessionStorage.setItem(prefix + draft, JSON.stringify(kept));
  } catch {
    // Storage can be forbidden or full; the files still stand in the field.
  }
}
