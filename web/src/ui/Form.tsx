import type { ReactNode } from "react";
import type { FieldErrors, Submission } from "@/lib/useSubmission";
import { Button } from "./Button";
import { Sentence } from "./Sentence";

interface FormProps<Name extends string> {
  /** What it is for, for those who jump from form to form. */
  label: string;
  submission: Submission<Name>;
  check?: () => FieldErrors<Name>;
  /** After it was done. */
  onDone?: () => void;
  action: string;
  /** What the button says while the server is asked. */
  busy: string;
  wide?: boolean;
  children: ReactNode;
}

/** Fields, what is wrong with them as a whole, and one button. */
export function Form<Name extends string>(props: FormProps<Name>) {
  const { label, submission, check, onDone, action, busy, wide = false, children } = props;
  const { form, pending, failure, run } = submission;
  return (
    <form
      ref={form}
      noValidate
      aria-label={label}
      className="form"
      onSubmit={async (event) => {
        event.preventDefault();
        if (await run(check)) onDone?.();
      }}
    >
      {children}
      <Button look="action" type="submit" disabled={pending} className={wide ? "w-full" : ""}>
        {pending ? busy : action}
      </Button>
      {/* Below the button, so that nothing somebody is about to press moves. */}
      <div role="alert" className="form-failure">
        {failure && <Sentence text={failure} />}
      </div>
    </form>
  );
}
