import { TriangleAlert } from "lucide-react";
import { useEffect, useState } from "react";
import { splitCommand } from "@/lib/command";
import { remedyOf } from "@/lib/problems";
import { Button } from "@/ui/Button";
import { CommandLine } from "@/ui/CommandLine";

interface RemedyNoticeProps {
  error: unknown;
  /** Does again what failed; absent when there is nothing to do again. */
  onRetry?: (() => void) | undefined;
  retryLabel?: string;
  onDismiss?: () => void;
  /** Shown instead of the server's sentence when no model can answer. */
  noModelHelp?: string | null | undefined;
}

const advice = {
  retry: "",
  wait: "",
  reload: "",
  none: "",
  "new-chat": "",
  "choose-model": "Choose another model below and send again.",
  shorten: "Shorten the question, or choose a model with a larger context. Your text is kept.",
};

export function RemedyNotice({
  error,
  onRetry,
  retryLabel,
  onDismiss,
  noModelHelp,
}: RemedyNoticeProps) {
  const remedy = remedyOf(error);
  const left = useCountdown(remedy.seconds ?? 0, error);
  const { sentence, command } = splitCommand(
    (remedy.title === "No model can answer" && noModelHelp) || remedy.detail,
  );
  return (
    <div role="alert" className="remedy">
      <TriangleAlert size={18} className="mt-0.5 shrink-0 text-warn" />
      <div className="min-w-0 flex-1 space-y-2">
        <p className="font-semibold">{remedy.title}</p>
        <p>
          {sentence} {advice[remedy.action]}
        </p>
        {command && <CommandLine command={command} />}
        <div className="flex flex-wrap items-center gap-2">
          {remedy.action === "reload" && (
            <Button small onClick={() => window.location.reload()}>
              Reload the page
            </Button>
          )}
          {onRetry && remedy.action !== "reload" && (
            <Button small disabled={left > 0} onClick={onRetry}>
              {left > 0 ? `Again in ${left} s` : (retryLabel ?? "Send again")}
            </Button>
          )}
          {onDismiss && (
            <Button small look="quiet" onClick={onDismiss}>
              Dismiss
            </Button>
          )}
        </div>
      </div>
    </div>
  );
}

/** Seconds left, starting anew with each new cause. */
function useCountdown(seconds: number, cause: unknown): number {
  const [left, setLeft] = useState(seconds);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new error of the same length starts again
  useEffect(() => {
    const until = Date.now() + seconds * 1000;
    setLeft(Math.ceil(seconds));
    if (seconds <= 0) return;
    const timer = setInterval(() => {
      const rest = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      setLeft(rest);
      if (rest === 0) clearInterval(timer);
    }, 250);
    return () => clearInterval(timer);
  }, [seconds, cause]);
  return left;
}
