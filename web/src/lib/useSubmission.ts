import { useEffect, useRef, useState } from "react";
import { ProblemError, remedyOf } from "./problems";

export type FieldErrors<Name extends string> = Partial<Record<Name, string>>;

export interface Submission<Name extends string> {
  /** Of the form; its first field that is wrong gets the focus. */
  form: React.RefObject<HTMLFormElement | null>;
  pending: boolean;
  errors: FieldErrors<Name>;
  /** What is wrong with no field of the form. */
  failure: string | null;
  /** Does the work unless `check` finds something. True when it was done. */
  run: (check?: () => FieldErrors<Name>) => Promise<boolean>;
}

/**
 * A form on its way to the server: one at a time, what is wrong beside its field, and the rest as a sentence. `names` are
 * the form's fields as the server calls them.
 */
export function useSubmission<Name extends string>(
  names: readonly Name[],
  work: () => Promise<unknown>,
): Submission<Name> {
  const [pending, setPending] = useState(false);
  const [errors, setErrors] = useState<FieldErrors<Name>>({});
  const [failure, setFailure] = useState<string | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const busy = useRef(false);

  useEffect(() => {
    if (Object.keys(errors).length === 0) return;
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [errors]);

  async function run(check?: () => FieldErrors<Name>): Promise<boolean> {
    if (busy.current) return false;
    const wrong = check?.() ?? {};
    setErrors(wrong);
    setFailure(null);
    if (Object.keys(wrong).length > 0) return false;
    busy.current = true;
    setPending(true);
    try {
      await work();
      return true;
    } catch (error) {
      const refused = fieldErrors(error, names);
      setErrors(refused);
      if (Object.keys(refused).length === 0) setFailure(remedyOf(error).detail);
      return false;
    } finally {
      busy.current = false;
      setPending(false);
    }
  }

  return { form, pending, errors, failure, run };
}

/** The server names the field it did not accept; the sentence belongs there. */
export function fieldErrors<Name extends string>(
  error: unknown,
  names: readonly Name[],
): FieldErrors<Name> {
  if (!(error instanceof ProblemError)) return {};
  const { param, detail } = error.problem;
  const name = names.find((known) => known === param);
  return name === undefined ? {} : ({ [name]: detail } as FieldErrors<Name>);
}
