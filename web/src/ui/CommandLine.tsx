import { CopyButton } from "./CopyButton";

/** A command to run in a terminal, ready to copy. */
export function CommandLine({ command }: { command: string }) {
  return (
    <div className="flex items-center gap-1 rounded-xl border border-line bg-sunken py-1 pr-1 pl-3">
      <code className="min-w-0 flex-1 font-mono text-[0.8125rem] break-all text-ink">
        {command}
      </code>
      <CopyButton text={command} label="Copy command" />
    </div>
  );
}
