import { useState } from "react";
import { signIn } from "@/api/accounts";
import { emailProblem, problemsOf } from "@/lib/credentials";
import { useSubmission } from "@/lib/useSubmission";
import { Field, PasswordField } from "@/ui/Field";
import { Form } from "@/ui/Form";
import type { WayProps } from "./ways";

export default function PasswordSignIn({ onSignedIn }: WayProps) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const submission = useSubmission(["email", "password"], async () =>
    onSignedIn(await signIn(email.trim(), password)),
  );
  const check = () =>
    problemsOf({
      email: emailProblem(email),
      password: password === "" ? "Type the password" : undefined,
    });
  return (
    <Form
      label="Sign in with a password"
      submission={submission}
      check={check}
      action="Sign in"
      busy="Signing in…"
      wide
    >
      <Field
        label="E-mail address"
        type="email"
        name="email"
        autoComplete="username webauthn"
        autoCapitalize="none"
        value={email}
        onText={setEmail}
        error={submission.errors.email}
      />
      <PasswordField
        label="Password"
        name="password"
        autoComplete="current-password"
        value={password}
        onText={setPassword}
        error={submission.errors.password}
      />
    </Form>
  );
}
