import { createAttachment } from "@/api/attachments";
import { type DraftFile, draftFiles, ready, setDraftFiles } from "@/lib/draftFiles";
import { remedyOf } from "@/lib/problems";
import { announce } from "@/ui/announce";

/** Most files of one question, as the server has it. */
export const mostFiles = 10;

/** Pictures of files on this machine and the way to stop sending them, by the file's key. */
const previews = new Map<string, string>();
const sending = new Map<string, AbortController>();
let count = 0;

export const previewOf = (file: DraftFile): string | undefined => previews.get(file.key);

/** Begins to send files for a draft. Each says by itself how far it is and why it was refused. */
export function attach(draft: string, files: Iterable<File>): void {
  for (const file of files) attachOne(draft, file);
}

/** Takes a file out of a draft again. */
export function detach(draft: string, file: DraftFile): void {
  sending.get(file.key)?.abort();
  forget(file.key);
  setDraftFiles(
    draft,
    draftFiles(draft).filter((one) => one.key !== file.key),
  );
  announce(`${file.name} removed`);
}

async function attachOne(draft: string, file: File): Promise<void> {
  const key = `file-${count++}`;
  const name = file.name || "file";
  const begun: DraftFile = {
    key,
    name,
    bytes: file.size,
    share: 0,
    attachment: null,
    problem: null,
  };
  const before = draftFiles(draft);
  if (before.length >= mostFiles) {
    const problem = `A question has at most ${mostFiles} files. Remove one first.`;
    setDraftFiles(draft, [...before, { ...begun, problem }]);
    announce(`${name}: ${problem}`);
    return;
  }
  setDraftFiles(draft, [...before, begun]);
  const stop = new AbortController();
  sending.set(key, stop);
  if (file.type.startsWith("image/")) previews.set(key, URL.createObjectURL(file));
  try {
    const onShare = (share: number) => change(draft, key, { share });
    const attachment = await createAttachment(file, onShare, stop.signal);
    change(draft, key, { ...ready(attachment), key });
    announce(`${attachment.name} attached`);
  } catch (error) {
    if (stop.signal.aborted) return;
    const problem = remedyOf(error).detail;
    change(draft, key, { problem });
    announce(`${name} could not be attached. ${problem}`);
  } finally {
    sending.delete(key);
  }
}

/** Changes a file where it still is; it may have been taken away meanwhile. */
function change(draft: string, key: string, what: Partial<DraftFile>): void {
  const files = draftFiles(draft);
  if (!files.some((file) => file.key === key)) return;
  setDraftFiles(
    draft,
    files.map((file) => (file.key === key ? { ...file, ...what } : file)),
  );
}

function forget(key: string): void {
  const preview = previews.get(key);
  if (preview) URL.revokeObjectURL(preview);
  previews.delete(key);
}
