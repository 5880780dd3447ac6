import { Eye, EyeOff } from "lucide-react";
import { type InputHTMLAttributes, type ReactNode, useId, useState } from "react";
import { IconButton } from "./Button";
import { Sentence } from "./Sentence";

interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "onChange" | "value"> {
  label: string;
  value: string;
  onText: (text: string) => void;
  hint?: ReactNode;
  error?: string | undefined;
}

/** A labelled line of text. What is wrong takes the place of the hint, so that nothing moves. */
export function Field({ label, value, onText, hint, error, ...input }: FieldProps) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="field-label">
        {label}
      </label>
      <input
        {...input}
        id={id}
        className="field"
        aria-invalid={error !== undefined}
        aria-describedby={`${id}-hint`}
        value={value}
        onChange={(event) => onText(event.target.value)}
      />
      <Hint id={id} hint={hint} error={error} />
    </div>
  );
}

type PasswordFieldProps = Omit<FieldProps, "type">;

/** A password, which may be looked at while it is typed. */
export function PasswordField({ label, value, onText, hint, error, ...input }: PasswordFieldProps) {
  const id = useId();
  const [shown, setShown] = useState(false);
  return (
    <div>
      <label htmlFor={id} className="field-label">
        {label}
      </label>
      <div className="relative">
        <input
          {...input}
          id={id}
          className="field pr-11"
          type={shown ? "text" : "password"}
          spellCheck={false}
          autoCapitalize="none"
          aria-invalid={error !== undefined}
          aria-describedby={`${id}-hint`}
          value={value}
          onChange={(event) => onText(event.target.value)}
        />
        <IconButton
          label={`Show what is typed: ${label}`}
          aria-pressed={shown}
          className="absolute top-1 right-1.5"
          onClick={() => setShown(!shown)}
        >
          {shown ? <EyeOff size={17} /> : <Eye size={17} />}
        </IconButton>
      </div>
      <Hint id={id} hint={hint} error={error} />
    </div>
  );
}

interface HintProps {
  id: string;
  hint: ReactNode;
  error: string | undefined;
}

function Hint({ id, hint, error }: HintProps) {
  return (
    <p id={`${id}-hint`} className={error ? "field-error" : "field-hint"}>
      {error ? <Sentence text={error} /> : hint}
    </p>
  );
}

interface ChoiceProps<Value extends string> {
  label: string;
  value: Value;
  choices: readonly { value: Value; label: string }[];
  onChoose: (value: Value) => void;
  disabled?: boolean;
  /** The label is only for those who do not see what stands around it. */
  quiet?: boolean;
}

/** One of a few, as the browser's own list. */
export function Choice<Value extends string>(props: ChoiceProps<Value>) {
  const { label, value, choices, onChoose, disabled = false, quiet = false } = props;
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className={quiet ? "sr-only" : "field-label"}>
        {label}
      </label>
      <select
        id={id}
        className={quiet ? "field field-small" : "field"}
        value={value}
        disabled={disabled}
        onChange={(event) => onChoose(event.target.value as Value)}
      >
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
      </select>
    </div>
  );
}
