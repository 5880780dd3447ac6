import { ProblemError, problemOf, UnreachableError } from "@/lib/problems";
import { request } from "./client";
import { reportDown } from "./connection";
import { apiAddress, apiOrigin } from "./origin";
import { reportRefused } from "./signIn";
import type { Attachment } from "./types";

const all = "/api/attachments";

/** Where a file is, for a link that saves it. */
export const attachmentAddress = (id: string) => `${apiOrigin()}${all}/${encodeURIComponent(id)}`;

/** A file's bytes. A page on another origin may show no picture from there, so they are fetched. */
export const getAttachment = async (id: string): Promise<Blob> =>
  (await request(attachmentAddress(id))).blob();

/**
 * Sends a file, and says how far it is (0 to 1). The one request that is not a `fetch`, which says nothing of what has
 * been sent.
 */
export function createAttachment(
  file: File,
  onShare: (share: number) => void,
  signal: AbortSignal,
): Promise<Attachment> {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", `${apiOrigin()}${all}?name=${encodeURIComponent(file.name)}`);
    call.withCredentials = apiOrigin() !== "";
    call.setRequestHeader("content-type", "application/octet-stream");
    call.upload.onprogress = ({ loaded, total }) => onShare(total > 0 ? loaded / total : 0);
    call.onload = () => {
      const body = parsed(call.responseText);
      if (call.status === 201) return resolve(body as Attachment);
      reportRefused(call.status, all);
      const wait = call.getResponseHeader("retry-after");
      reject(new ProblemError(problemOf(call.status, body, wait)));
    };
    call.onerror = () => {
      reportDown();
      reject(new UnreachableError(apiAddress()));
    };
    call.onabort = () => reject(new DOMException("The file was taken away.", "AbortError"));
    signal.addEventListener("abort", () => call.abort());
    call.send(file);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
