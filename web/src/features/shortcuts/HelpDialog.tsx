import { shortcuts } from "@/lib/shortcuts";
import { Dialog } from "@/ui/Dialog";
import { setSingleKeys, useSingleKeys } from "./singleKeys";

const mac = /Mac|iPhone|iPad/.test(navigator.platform);

export default function HelpDialog({ onClose }: { onClose: () => void }) {
  const singleKeys = useSingleKeys((state) => state.on);
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <div className="overflow-y-auto px-6 pb-6">
        <dl className="divide-y divide-line">
          {shortcuts.map((shortcut) => (
            <div key={shortcut.does} className="flex items-baseline justify-between gap-4 py-2">
              <dt>{shortcut.does}</dt>
              <dd className="flex gap-1">
                {shortcut.keys.split("+").map((key) => (
                  <kbd key={key}>{key === "mod" ? (mac ? "⌘" : "Ctrl") : key}</kbd>
                ))}
              </dd>
            </div>
          ))}
        </dl>
        <label className="mt-4 flex items-start gap-3 rounded-xl bg-sunken p-3 text-sm">
          <input
            type="checkbox"
            className="mt-0.5 size-4 accent-(--action)"
            checked={singleKeys}
            onChange={(event) => setSingleKeys(event.target.checked)}
          />
          <span>
            Keys without Ctrl or ⌘
            <span className="block text-muted">
              They never act while you type. Turn them off if you speak to your computer.
            </span>
          </span>
        </label>
      </div>
    </Dialog>
  );
}
