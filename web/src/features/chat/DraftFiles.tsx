import { FileText, ImageIcon, X } from "lucide-react";
import type { Status } from "@/api/types";
import { type DraftFile, useFilesOf } from "@/lib/draftFiles";
import { fileSize } from "@/lib/fileSize";
import { modelName } from "@/lib/format";
import { IconButton } from "@/ui/Button";
import { detach, previewOf } from "./attaching";
import { useChatModels } from "./useChatModels";
import { usePicture } from "./usePicture";

interface DraftFilesProps {
  draft: string;
  /** The model chosen for the chat; null: one is chosen for each question. */
  chosen: string | null;
  /** Where focus goes when the last file is removed. */
  onEmptied: () => void;
}

/** The files beside the words being written: how far each is, why one was refused, and a way to remove it. */
export default function DraftFiles({ draft, chosen, onEmptied }: DraftFilesProps) {
  const files = useFilesOf(draft);
  const { status } = useChatModels(chosen);
  const hint = files.some(isPicture) ? blindness(status, chosen) : null;
  if (files.length === 0) return null;
  return (
    <div className="draft-files">
      <ul aria-label="Attached files">
        {files.map((file) => (
          <li key={file.key} data-problem={file.problem !== null || undefined}>
            <Thumb file={file} />
            <span className="min-w-0 flex-1">
              <span className="file-name">{file.name}</span>
              <Standing file={file} />
            </span>
            <IconButton
              label={`Remove ${file.name}`}
              onClick={() => {
                detach(draft, file);
                if (files.length === 1) onEmptied();
              }}
            >
              <X size={15} />
            </IconButton>
          </li>
        ))}
      </ul>
      {hint && (
        <p className="file-hint" role="status">
          {hint}
        </p>
      )}
    </div>
  );
}

function Standing({ file }: { file: DraftFile }) {
  if (file.problem !== null) return <span className="file-problem">{file.problem}</span>;
  if (file.attachment) return <span className="file-fact">{fileSize(file.bytes)}</span>;
  return (
    <progress aria-label={`Sending ${file.name}`} max={1} value={file.share}>
      {Math.round(file.share * 100)} %
    </progress>
  );
}

function Thumb({ file }: { file: DraftFile }) {
  const here = previewOf(file);
  // After a reload only the server has it.
  const there = usePicture(here || !isPicture(file) ? null : (file.attachment?.id ?? null));
  const address = here ?? there;
  if (address && file.problem === null) return <img className="thumb" src={address} alt="" />;
  return (
    <span className="thumb" aria-hidden="true">
      {isPicture(file) ? <ImageIcon size={18} /> : <FileText size={18} />}
    </span>
  );
}

function isPicture(file: DraftFile): boolean {
  return file.attachment ? file.attachment.kind === "image" : previewOf(file) !== undefined;
}

/** Why the pictures will be refused, when that is known already. */
function blindness(status: Status | undefined, chosen: string | null): string | null {
  const models = status?.models ?? [];
  const sees = (model: (typeof models)[number]) => model.capabilities.includes("vision");
  if (chosen === null || chosen.startsWith("goblin")) {
    if (models.length === 0 || models.some(sees)) return null;
    return "No model that is here takes pictures: they all read text only.";
  }
  const model = models.find((one) => one.id === chosen);
  if (!model || sees(model)) return null;
  return `${modelName(model.id)} reads text only. Choose a model that takes pictures, or remove the picture.`;
}
