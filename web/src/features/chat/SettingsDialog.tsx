import { type ReactNode, useState } from "react";
import type { Parameters } from "@/api/types";
import {
  fromForm,
  type NumberField,
  numberFields,
  type ParametersErrors,
  type ParametersForm,
  toForm,
} from "@/lib/parameters";
import { ProblemError, remedyOf } from "@/lib/problems";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";

export interface ChatSettings {
  system: string | null;
  parameters: Parameters;
}

interface SettingsDialogProps {
  settings: ChatSettings;
  onSave: (settings: ChatSettings) => Promise<void>;
  onClose: () => void;
}

export default function SettingsDialog({ settings, onSave, onClose }: SettingsDialogProps) {
  const [system, setSystem] = useState(settings.system ?? "");
  const [form, setForm] = useState(() => toForm(settings.parameters));
  const [errors, setErrors] = useState<ParametersErrors>({});
  const [failure, setFailure] = useState<string | null>(null);
  const [saving, setSaving] = useState(false);

  async function save() {
    const { values, errors: found } = fromForm(form);
    setErrors(found);
    setFailure(null);
    const firstWrong = Object.keys(found)[0];
    if (firstWrong) {
      document.getElementById(`setting-${firstWrong}`)?.focus();
      return;
    }
    setSaving(true);
    try {
      await onSave({ system: system.trim() === "" ? null : system, parameters: values });
      onClose();
    } catch (error) {
      const refused = errorsOf(error);
      setErrors(refused);
      if (Object.keys(refused).length === 0) setFailure(remedyOf(error).detail);
    } finally {
      setSaving(false);
    }
  }

  return (
    <Dialog title="Settings of this chat" onClose={onClose} wide>
      <form
        noValidate
        className="flex min-h-0 flex-1 flex-col"
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <div className="min-h-0 flex-1 space-y-5 overflow-y-auto px-6 py-3">
          <Labelled
            id="setting-system"
            label="Instructions"
            hint="Said to the model before every question"
          >
            <textarea
              id="setting-system"
              className="field min-h-24"
              aria-describedby="setting-system-hint"
              value={system}
              placeholder="You are a patient teacher who answers in short sentences."
              onChange={(event) => setSystem(event.target.value)}
            />
          </Labelled>
          <ParametersFields form={form} errors={errors} onChange={setForm} />
          {failure && (
            <p role="alert" className="field-error">
              {failure}
            </p>
          )}
        </div>
        <footer className="flex items-center justify-between gap-2 border-t border-line px-6 py-4">
          <Button
            look="quiet"
            onClick={() => {
              setSystem("");
              setForm(toForm({}));
              setErrors({});
            }}
          >
            Clear all
          </Button>
          <div className="flex gap-2">
            <Button onClick={onClose}>Cancel</Button>
            <Button look="action" type="submit" disabled={saving}>
              Save
            </Button>
          </div>
        </footer>
      </form>
    </Dialog>
  );
}

interface ParametersFieldsProps {
  form: ParametersForm;
  errors: ParametersErrors;
  onChange: (form: ParametersForm) => void;
}

function ParametersFields({ form, errors, onChange }: ParametersFieldsProps) {
  return (
    <>
      <div className="grid gap-x-5 gap-y-4 sm:grid-cols-2">
        {numberFields.map((known) => (
          <NumberInput
            key={known.name}
            known={known}
            value={form[known.name]}
            error={errors[known.name]}
            onChange={(value) => onChange({ ...form, [known.name]: value })}
          />
        ))}
      </div>
      <Labelled
        id="setting-stop"
        label="Stop texts"
        hint="The answer ends before any of these; one per line, at most 4"
        error={errors.stop}
      >
        <textarea
          id="setting-stop"
          className="field"
          rows={2}
          aria-invalid={errors.stop !== undefined}
          aria-describedby="setting-stop-hint"
          value={form.stop}
          onChange={(event) => onChange({ ...form, stop: event.target.value })}
        />
      </Labelled>
    </>
  );
}

interface NumberInputProps {
  known: NumberField;
  value: string;
  error: string | undefined;
  onChange: (value: string) => void;
}

function NumberInput({ known, value, error, onChange }: NumberInputProps) {
  const id = `setting-${known.name}`;
  return (
    <Labelled id={id} label={known.label} hint={known.hint} error={error}>
      <input
        id={id}
        className="field"
        inputMode={known.whole && known.min >= 0 ? "numeric" : "text"}
        autoComplete="off"
        placeholder="Model's default"
        aria-invalid={error !== undefined}
        aria-describedby={`${id}-hint`}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </Labelled>
  );
}

interface LabelledProps {
  id: string;
  label: string;
  hint: string;
  error?: string | undefined;
  children: ReactNode;
}

function Labelled({ id, label, hint, error, children }: LabelledProps) {
  return (
    <div>
      <label htmlFor={id} className="mb-1 block text-sm font-semibold">
        {label}
      </label>
      {children}
      <p id={`${id}-hint`} className={error ? "field-error" : "mt-1 text-[0.8125rem] text-muted"}>
        {error ?? hint}
      </p>
    </div>
  );
}

/** The server names the field it did not accept; the sentence belongs there. */
function errorsOf(error: unknown): ParametersErrors {
  if (!(error instanceof ProblemError) || !error.problem.param) return {};
  const name = error.problem.param.replace(/^parameters\./, "").replace(/\[.*$/, "");
  return name in toForm({}) ? { [name]: error.problem.detail } : {};
}
