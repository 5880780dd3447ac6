import { Check, ChevronDown, Cloud, HardDrive, Sparkles } from "lucide-react";
import type { Model, Status } from "@/api/types";
import { modelFacts, modelName } from "@/lib/format";
import { Menu, MenuChoice, MenuChoices, MenuChosen } from "@/ui/Menu";

const automatic = "goblin";

interface ModelPickerProps {
  status: Status | undefined;
  /** null is the automatic choice. */
  chosen: string | null;
  onChoose: (model: string | null) => void;
}

export function ModelPicker({ status, chosen, onChoose }: ModelPickerProps) {
  const models = status?.models ?? [];
  const known = models.find((model) => model.id === chosen);
  const name = chosen === null ? "Automatic" : modelName(chosen);
  return (
    <Menu
      label="Model"
      side="top"
      trigger={
        <button type="button" className="picker-trigger" aria-label={`Model: ${name}`}>
          <PlaceIcon model={known} automatic={chosen === null} />
          <span className="max-w-48 truncate">{name}</span>
          <ChevronDown size={14} className="text-muted" />
        </button>
      }
    >
      <MenuChoices
        value={chosen ?? automatic}
        onValueChange={(value) => onChoose(value === automatic ? null : value)}
      >
        <Choice
          value={automatic}
          icon={<Sparkles size={16} />}
          name="Automatic"
          facts={automaticFacts(status)}
        />
        {models.map((model) => (
          <Choice
            key={model.id}
            value={model.id}
            disabled={model.state === "down"}
            icon={<PlaceIcon model={model} automatic={false} />}
            name={modelName(model.id)}
            facts={modelFacts(model)}
            // A model elsewhere is not loaded here; only its failing is news.
            {...(model.local || model.state === "down" ? { state: model.state } : {})}
          />
        ))}
        {chosen !== null && !known && (
          <Choice
            value={chosen}
            disabled
            icon={<PlaceIcon model={undefined} automatic={false} />}
            name={modelName(chosen)}
            facts="not here any more; choose another"
          />
        )}
      </MenuChoices>
    </Menu>
  );
}

interface ChoiceProps {
  value: string;
  icon: React.ReactNode;
  name: string;
  facts: string;
  state?: Model["state"];
  disabled?: boolean;
}

function Choice({ value, icon, name, facts, state, disabled = false }: ChoiceProps) {
  return (
    <MenuChoice value={value} disabled={disabled} className="goblin-menu-item items-start">
      <span className="mt-0.5 text-leaf">{icon}</span>
      <span className="min-w-0 flex-1">
        <span className="flex items-center gap-2 font-medium">
          <span className="truncate">{name}</span>
          {state && <StateMark state={state} />}
        </span>
        <span className="block text-[0.8125rem] text-muted">{facts}</span>
      </span>
      <span className="w-4 shrink-0">
        <MenuChosen>
          <Check size={16} className="mt-0.5 text-leaf" />
        </MenuChosen>
      </span>
    </MenuChoice>
  );
}

const stateWords = { loaded: "ready", loading: "loading", available: "loads on use", down: "down" };

function StateMark({ state }: { state: Model["state"] }) {
  return (
    <span className="state-mark" data-state={state}>
      {stateWords[state]}
    </span>
  );
}

function PlaceIcon({ model, automatic }: { model: Model | undefined; automatic: boolean }) {
  if (automatic) return <Sparkles size={15} className="text-leaf" />;
  if (model && !model.local) return <Cloud size={16} />;
  return <HardDrive size={16} />;
}

function automaticFacts(status: Status | undefined): string {
  const model = status?.default_model;
  return model ? `picks for each question; now ${modelName(model)}` : "picks for each question";
}
