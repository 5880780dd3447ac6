import { signInWithPasskey } from "@/api/passkeys";
import { hasPasskeys } from "@/lib/passkeys";
import { useSubmission } from "@/lib/useSubmission";
import { Form } from "@/ui/Form";
import type { WayProps } from "./ways";

/** One button: the browser finds the passkey, and the passkey says whose it is. */
export default function PasskeySignIn({ state, onSignedIn }: WayProps) {
  const submission = useSubmission([], async () => onSignedIn(await signInWithPasskey()));
  const [first] = state.passkey_origins;
  if (!state.passkey_origins.includes(window.location.origin)) {
    return (
      <p className="text-muted">
        With a passkey you sign in at <a href={first}>{first}</a>.
      </p>
    );
  }
  if (!hasPasskeys()) return null;
  return (
    <Form
      label="Sign in with a passkey"
      submission={submission}
      action="Sign in with a passkey"
      busy="Waiting for the passkey…"
      wide
    >
      {null}
    </Form>
  );
}
