import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { CloudUpload, Lock } from "lucide-react";
import { routeQuery } from "@/api/queries";
import { previewOf } from "@/lib/preview";
import { useSettledText } from "@/lib/useSettledText";

/** Typing stops for this long before the server is asked. */
const PAUSE_MS = 450;
/** Longer questions are not sent to and fro while they are written. */
const MOST_CHARS = 50_000;

interface RoutePreviewProps {
  draft: string;
  /** Are there pictures with it? */
  pictures: boolean;
  /** null is the automatic choice. */
  model: string | null;
  /** What stands here while nothing is written. */
  otherwise: string;
}

/** Who would answer what is being written, for how much, and whether it would leave the machines. */
export function RoutePreview({ draft, pictures, model, otherwise }: RoutePreviewProps) {
  const text = useSettledText(draft.trim(), PAUSE_MS);
  const wanted = draft.trim() !== "" && text.length > 2 && text.length <= MOST_CHARS;
  const { data: run } = useQuery({
    ...routeQuery(text, model, pictures),
    enabled: wanted,
    placeholderData: keepPreviousData,
  });
  const preview = wanted && run ? previewOf(run) : null;
  if (!preview) return <p className="small-print">{otherwise}</p>;
  return (
    <p className="route-preview" data-testid="route-preview">
      {preview.facts.map((fact, index) => (
        <span key={fact} className={index === 0 ? "fact font-medium" : "fact"}>
          {fact}
        </span>
      ))}
      <span className="fact" data-leaves={preview.leaves || undefined}>
        {preview.leaves ? (
          <CloudUpload size={12} className="mr-1 inline" />
        ) : (
          <Lock size={12} className="mr-1 inline" />
        )}
        {preview.privacy}
      </span>
      {preview.more.map((fact) => (
        <span key={fact} className="fact route-more">
          {fact}
        </span>
      ))}
    </p>
  );
}
