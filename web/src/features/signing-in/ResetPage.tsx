import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { resetPassword } from "@/api/accounts";
import { loadSignIn } from "@/api/signIn";
import { newPasswordProblem, problemsOf } from "@/lib/credentials";
import { useSubmission } from "@/lib/useSubmission";
import { PasswordField } from "@/ui/Field";
import { Form } from "@/ui/Form";
import { Entrance } from "./Entrance";
import { LinkTrouble, LinkWaiting } from "./LinkTrouble";
import { useLink } from "./useLink";

const title = "Choose another password";

/** Another password, by a link an owner or admin made. */
export default function ResetPage() {
  const { token, link, error, retry } = useLink();
  const [done, setDone] = useState(false);
  const [password, setPassword] = useState("");
  const submission = useSubmission(["password"], () => resetPassword(token, password));

  if (done) {
    return (
      <Entrance title="The password is set" lead="Every sign-in you had is over. Sign in with it.">
        <Link to="/" replace className="link-button self-start" autoFocus>
          Sign in
        </Link>
      </Entrance>
    );
  }
  const isOther = link !== undefined && link.kind !== "reset";
  if (token === "" || error || isOther) {
    return (
      <LinkTrouble
        title="This link does not work"
        error={error}
        remedy="Ask an owner or admin for another one. Such a link works once, and not for long."
        onRetry={retry}
      />
    );
  }
  if (!link) return <LinkWaiting title={title} />;
  return (
    <Entrance title={title} lead="Wherever you are signed in, you are signed out by it.">
      <Form
        label={title}
        submission={submission}
        check={() => problemsOf({ password: newPasswordProblem(password) })}
        action="Set the password"
        busy="Setting it…"
        wide
        onDone={() => {
          setDone(true);
          loadSignIn();
        }}
      >
        <PasswordField
          label="New password"
          name="password"
          autoComplete="new-password"
          value={password}
          onText={setPassword}
          hint="At least 8 characters; a few words in a row are easy to remember"
          error={submission.errors.password}
        />
      </Form>
    </Entrance>
  );
}
