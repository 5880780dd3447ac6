import { useState } from "react";
import type { Newcomer } from "@/api/accounts";
import { emailProblem, newPasswordProblem, problemsOf } from "@/lib/credentials";
import { useSubmission } from "@/lib/useSubmission";
import { Field, PasswordField } from "@/ui/Field";
import { Form } from "@/ui/Form";

interface NewcomerFormProps {
  label: string;
  action: string;
  /** The address the invitation is for, which nobody else may take. */
  email?: string | null | undefined;
  onSubmit: (who: Newcomer) => Promise<unknown>;
}

/** Who somebody is and the password they choose: for everybody who makes an account. */
export function NewcomerForm({ label, action, email: invited, onSubmit }: NewcomerFormProps) {
  const [name, setName] = useState("");
  const [email, setEmail] = useState(invited ?? "");
  const [password, setPassword] = useState("");
  const submission = useSubmission(["name", "email", "password"], () =>
    onSubmit({ name, email: email.trim(), password }),
  );
  const check = () =>
    problemsOf({
      name: undefined,
      email: emailProblem(email),
      password: newPasswordProblem(password),
    });
  return (
    <Form
      label={label}
      submission={submission}
      check={check}
      action={action}
      busy="Making the account…"
      wide
    >
      <Field
        label="E-mail address"
        type="email"
        name="email"
        autoComplete="username"
        autoCapitalize="none"
        readOnly={invited != null}
        value={email}
        onText={setEmail}
        hint={invited == null ? "You sign in with it" : "The invitation is for this address"}
        error={submission.errors.email}
      />
      <Field
        label="Name"
        name="name"
        autoComplete="name"
        maxLength={200}
        value={name}
        onText={setName}
        hint="What others here see; may stay empty"
        error={submission.errors.name}
      />
      <PasswordField
        label="Password"
        name="password"
        autoComplete="new-password"
        value={password}
        onText={setPassword}
        hint="At least 8 characters; a few words in a row are easy to remember"
        error={submission.errors.password}
      />
    </Form>
  );
}
