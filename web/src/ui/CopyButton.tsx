import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { announce } from "./announce";
import { IconButton } from "./Button";

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => setState("idle"), 2000);
    return () => clearTimeout(timer);
  }, [state]);

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
      announce("Copied");
    } catch {
      // Plain http to another machine's name has no clipboard; say so instead of doing nothing.
      setState("failed");
      announce("Could not copy: the browser allows it only on https or localhost");
    }
  }

  return (
    <IconButton
      label={state === "failed" ? "Could not copy; select it by hand" : label}
      onClick={copy}
    >
      {state === "copied" ? <Check size={16} className="text-leaf" /> : <Copy size={16} />}
    </IconButton>
  );
}
