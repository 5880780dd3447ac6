import { Check, ChevronDown, Cloud, HardDrive, Search, Server, Sparkles } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import type { Model, Status, Upstream } from "@/api/types";
import { cloudName } from "@/lib/clouds";
import { modelFacts, modelName, providerName } from "@/lib/format";
import { answers, expectation, memoryFact, readiness, stateWord } from "@/lib/health";
import { searchFrom } from "@/lib/modelSearch";
import {
  Menu,
  MenuChoice,
  MenuChoices,
  MenuChosen,
  MenuGroup,
  MenuHeading,
  MenuItem,
} from "@/ui/Menu";
import { StateDot } from "@/ui/StateDot";

const ModelSearch = lazy(() => import("./ModelSearch"));

const automatic = "goblin";

interface ModelPickerProps {
  status: Status | undefined;
  /** null is the automatic choice. */
  chosen: string | null;
  onChoose: (model: string | null) => void;
  /** It is opened: what is shown should be of now. */
  onOpen: () => void;
}

export function ModelPicker({ status, chosen, onChoose, onOpen }: ModelPickerProps) {
  const models = status?.models ?? [];
  const known = models.find((model) => model.id === chosen);
  const name = chosen === null ? "Automatic" : modelName(chosen);
  const [searching, setSearching] = useState(false);
  return (
    <>
      <Menu
        label="Model"
        side="top"
        onOpenChange={(open) => open && onOpen()}
        trigger={
          <button type="button" className="picker-trigger" aria-label={`Model: ${name}`}>
            {chosen === null ? (
              <Sparkles size={15} className="text-leaf" />
            ) : (
              <PlaceIcon upstream={upstreamOf(status, chosen)} />
            )}
            <span className="max-w-48 truncate">{name}</span>
            <ChevronDown size={14} className="text-muted" />
          </button>
        }
      >
        {models.length >= searchFrom && (
          <MenuItem icon={<Search size={16} />} onSelect={() => setSearching(true)}>
            Find a model…
          </MenuItem>
        )}
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
          {(status?.upstreams ?? []).map((upstream) => (
            <Models
              key={upstream.id}
              upstream={upstream}
              models={models.filter((model) => model.provider === upstream.id)}
            />
          ))}
          {chosen !== null && !known && (
            <Choice
              value={chosen}
              disabled
              icon={<HardDrive size={16} />}
              name={modelName(chosen)}
              facts="not here any more; choose another"
            />
          )}
        </MenuChoices>
      </Menu>
      {searching && (
        <Suspense>
          <ModelSearch status={status} onChoose={onChoose} onClose={() => setSearching(false)} />
        </Suspense>
      )}
    </>
  );
}

/** The models of one server, under its name and where that is. */
function Models({ upstream, models }: { upstream: Upstream; models: Model[] }) {
  if (models.length === 0 && answers(upstream)) return null;
  const name = upstream.name === upstream.id ? cloudName(upstream.id) : upstream.name;
  const heading = `${name}, ${whose(upstream)}`;
  return (
    <MenuGroup aria-label={heading}>
      <MenuHeading className="menu-heading">
        <PlaceIcon upstream={upstream} />
        <span className="min-w-0 flex-1">
          {name} <span className="font-normal">{whose(upstream)}</span>
        </span>
        {upstream.state !== "up" && (
          <span className="state-mark" data-state={upstream.state}>
            {stateWord[upstream.state]}
          </span>
        )}
      </MenuHeading>
      {models.map((model) => (
        <ModelChoice key={model.id} model={model} upstream={upstream} />
      ))}
    </MenuGroup>
  );
}

function ModelChoice({ model, upstream }: { model: Model; upstream: Upstream }) {
  const { kind, word } = readiness(model, upstream);
  const facts = modelFacts(model);
  const memory = memoryFact(model);
  if (memory) facts.push(memory);
  if (upstream.local && !model.local) facts.push("leaves your machines");
  return (
    <Choice
      value={model.id}
      disabled={model.state === "down"}
      icon={<StateDot state={kind} />}
      name={modelName(model.id)}
      word={{ kind, text: word }}
      facts={facts.join(" · ")}
      expect={expectation(model, upstream)}
    />
  );
}

interface ChoiceProps {
  value: string;
  icon: React.ReactNode;
  name: string;
  facts: string;
  /** How ready it is. */
  word?: { kind: string; text: string };
  /** What somebody who chooses it has to expect. */
  expect?: string | null;
  disabled?: boolean;
}

function Choice({ value, icon, name, facts, word, expect, disabled = false }: ChoiceProps) {
  return (
    <MenuChoice value={value} disabled={disabled} className="goblin-menu-item items-start">
      <span className="choice-icon">{icon}</span>
      <span className="min-w-0 flex-1">
        <span className="flex items-center gap-2 font-medium">
          <span className="truncate">{name}</span>
          {word && (
            <span className="state-mark" data-state={word.kind}>
              {word.text}
            </span>
          )}
        </span>
        {facts && <span className="block text-[0.8125rem] text-muted">{facts}</span>}
        {expect && <span className="block text-[0.8125rem] text-muted">{expect}</span>}
      </span>
      <span className="w-4 shrink-0">
        <MenuChosen>
          <Check size={16} className="mt-0.5 text-leaf" />
        </MenuChosen>
      </span>
    </MenuChoice>
  );
}

function PlaceIcon({ upstream }: { upstream: Upstream | undefined }) {
  if (upstream && !upstream.local) return <Cloud size={15} />;
  return upstream && upstream.kind !== "engine" ? <Server size={15} /> : <HardDrive size={15} />;
}

function whose({ kind, local }: Upstream): string {
  if (kind === "engine") return "in Goblin itself";
  return local ? "your own machine" : "leaves your machines";
}

const upstreamOf = (status: Status | undefined, model: string) =>
  status?.upstreams.find((upstream) => upstream.id === providerName(model));

function automaticFacts(status: Status | undefined): string {
  const model = status?.default_model;
  return model ? `picks for each question; now ${modelName(model)}` : "picks for each question";
}
