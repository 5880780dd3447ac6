import { useState } from "react";
import type { Status } from "@/api/types";
import { cloudName } from "@/lib/clouds";
import { modelFacts, modelName } from "@/lib/format";
import { findModels } from "@/lib/modelSearch";
import { Dialog } from "@/ui/Dialog";
import { Field } from "@/ui/Field";

/** Most models shown at once; more words find the others. */
const most = 50;

interface ModelSearchProps {
  status: Status | undefined;
  onChoose: (model: string) => void;
  onClose: () => void;
}

/** One of many models, by words of its name, its server or what it can do. Enter takes the first. */
export default function ModelSearch({ status, onChoose, onClose }: ModelSearchProps) {
  const [text, setText] = useState("");
  const found = findModels(status, text).filter((model) => model.state !== "down");
  const shown = found.slice(0, most);

  function choose(model: string) {
    onChoose(model);
    onClose();
  }

  return (
    <Dialog title="Find a model" onClose={onClose}>
      <form
        className="px-6 pb-2"
        aria-label="Find a model"
        onSubmit={(event) => {
          event.preventDefault();
          if (shown[0]) choose(shown[0].id);
        }}
      >
        <Field
          label="Words"
          type="search"
          name="model"
          autoComplete="off"
          autoFocus
          value={text}
          onText={setText}
          hint="Of its name, its server or what it can do; Enter takes the first"
        />
      </form>
      <p role="status" className="px-6 text-sm text-muted">
        {found.length === 0 && "No model has all of these words."}
        {found.length > most && `The first ${most} of ${found.length}; more words find fewer.`}
      </p>
      <ul className="min-h-0 overflow-y-auto px-6 pb-4" aria-label="Models found">
        {shown.map((model) => (
          <li key={model.id}>
            <button
              type="button"
              className="w-full rounded-lg px-2.5 py-2 text-left hover:bg-sunken"
              onClick={() => choose(model.id)}
            >
              <span className="block font-medium">{modelName(model.id)}</span>
              <span className="block text-[0.8125rem] text-muted">
                {[
                  cloudName(model.provider),
                  model.local ? "your own machine" : "leaves your machines",
                  ...modelFacts(model),
                ].join(" · ")}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
