import { Download, FileText, ImageIcon } from "lucide-react";
import { useState } from "react";
import { attachmentAddress } from "@/api/attachments";
import type { Attachment } from "@/api/types";
import { fileSize } from "@/lib/fileSize";
import { Dialog } from "@/ui/Dialog";
import { usePicture } from "./usePicture";

/** The files of a question: pictures that open, other files to be saved. */
export default function TurnFiles({ files }: { files: readonly Attachment[] }) {
  return (
    <ul className="turn-files" aria-label="Attached files">
      {files.map((file) => (
        <li key={file.id}>
          {file.kind === "image" ? <Picture file={file} /> : <SaveLink file={file} />}
        </li>
      ))}
    </ul>
  );
}

function Picture({ file }: { file: Attachment }) {
  const [open, setOpen] = useState(false);
  const address = usePicture(file.id);
  return (
    <>
      <button
        type="button"
        className="picture-small"
        aria-label={`Open ${file.name}`}
        title={file.name}
        onClick={() => setOpen(true)}
      >
        {address ? <img src={address} alt="" /> : <ImageIcon size={22} />}
      </button>
      {open && (
        <Dialog title={file.name} onClose={() => setOpen(false)} wide>
          <div className="picture-whole">
            {address && <img src={address} alt={file.name} />}
            <SaveLink file={file} />
          </div>
        </Dialog>
      )}
    </>
  );
}

function SaveLink({ file }: { file: Attachment }) {
  const Icon = file.kind === "image" ? Download : FileText;
  return (
    <a className="file-link" href={attachmentAddress(file.id)} download={file.name}>
      <Icon size={16} aria-hidden="true" />
      <span className="file-name">{file.name}</span>
      <span className="file-fact">{fileSize(file.bytes)}</span>
    </a>
  );
}
