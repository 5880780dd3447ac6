import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { changePassword, sessionsQuery } from "@/api/accounts";
import { loadSignIn, useOwnAccount } from "@/api/signIn";
import { newPasswordProblem, problemsOf } from "@/lib/credentials";
import { useSubmission } from "@/lib/useSubmission";
import { announce } from "@/ui/announce";
import { PasswordField } from "@/ui/Field";
import { Form } from "@/ui/Form";
import { showToast } from "@/ui/toasts";

export default function PasswordSection() {
  const client = useQueryClient();
  const account = useOwnAccount();
  const first = account?.has_password === false;
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  // Where there is no field for it, what is wrong with the current password is said below the form.
  const names = first
    ? (["new_password"] as const)
    : (["current_password", "new_password"] as const);
  const submission = useSubmission<"current_password" | "new_password">(names, () =>
    changePassword(current, next),
  );
  const check = () =>
    problemsOf({
      current_password: current === "" && !first ? "Type the password as it is now" : undefined,
      new_password: newPasswordProblem(next),
    });

  function done() {
    setCurrent("");
    setNext("");
    client.invalidateQueries({ queryKey: sessionsQuery.queryKey });
    loadSignIn();
    const said = `Password ${first ? "set" : "changed"}. Everywhere else you are signed out.`;
    showToast({ text: said, milliseconds: 8000 });
    announce(said);
  }

  return (
    <Form
      label="Password"
      submission={submission}
      check={check}
      action={first ? "Set a password" : "Change the password"}
      busy={first ? "Setting it…" : "Changing…"}
      onDone={done}
    >
      <p className="text-muted">
        {first
          ? "You have no password yet. With one you can also sign in by your address; every other sign-in of yours ends."
          : "With another password every other sign-in of yours ends; this one goes on."}
      </p>
      {/* For password managers, which keep a password with a name. */}
      <input hidden type="text" autoComplete="username" value={account?.email ?? ""} readOnly />
      {!first && (
        <PasswordField
          label="Current password"
          name="current_password"
          autoComplete="current-password"
          value={current}
          onText={setCurrent}
          error={submission.errors.current_password}
        />
      )}
      <PasswordField
        label="New password"
        name="new_password"
        autoComplete="new-password"
        value={next}
        onText={setNext}
        hint="At least 8 characters; a few words in a row are easy to remember"
        error={submission.errors.new_password}
      />
    </Form>
  );
}
