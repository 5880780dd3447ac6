import type { FieldErrors } from "./useSubmission";

/** What the server would refuse anyway, said while the fields are still in view. The server has the last word. */

/** Fewest and most bytes of a new password, as the server counts. */
const leastBytes = 8;
const mostBytes = 1024;

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

export function emailProblem(email: string): string | undefined {
  const typed = email.trim();
  if (typed === "") return "Type an e-mail address";
  const [local, domain, ...more] = typed.split("@");
  if (!local || !domain || more.length > 0 || /\s/.test(typed)) {
    return "This is no e-mail address; one looks like name@example.org";
  }
  return undefined;
}

export function newPasswordProblem(password: string): string | undefined {
  const length = bytesOf(password);
  if (length === 0) return "Choose a password";
  if (length < leastBytes) return `A password has at least ${leastBytes} characters`;
  if (length > mostBytes)
    return `A password has at most ${mostBytes} bytes; this one has ${length}`;
  return undefined;
}

/** Only the fields something is wrong with. */
export function problemsOf<Name extends string>(
  found: Record<Name, string | undefined>,
): FieldErrors<Name> {
  const entries = Object.entries(found).filter(([, text]) => text !== undefined);
  return Object.fromEntries(entries) as FieldErrors<Name>;
}
