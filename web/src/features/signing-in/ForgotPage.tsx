import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { askForReset } from "@/api/accounts";
import { emailProblem, problemsOf } from "@/lib/credentials";
import { useSubmission } from "@/lib/useSubmission";
import { Field } from "@/ui/Field";
import { Form } from "@/ui/Form";
import { Entrance } from "./Entrance";

const title = "Forgot the password?";

/** Asks for a letter with a link to set another password. Says the same whether or not there is such an account. */
export default function ForgotPage() {
  const [done, setDone] = useState(false);
  const [email, setEmail] = useState("");
  const submission = useSubmission(["email"], () => askForReset(email.trim()));
  if (done) {
    return (
      <Entrance
        title="Look into your mail"
        lead="If there is an account of this address, a letter with a link is on its way. It may take a minute; look among the unwanted as well."
      >
        <Link to="/" replace className="link-button self-start">
          Back to signing in
        </Link>
      </Entrance>
    );
  }
  return (
    <Entrance title={title} lead="A letter to your address brings a link to set another one.">
      <Form
        label={title}
        submission={submission}
        check={() => problemsOf({ email: emailProblem(email) })}
        action="Send the letter"
        busy="Sending it…"
        wide
        onDone={() => setDone(true)}
      >
        <Field
          label="E-mail address"
          type="email"
          name="email"
          autoComplete="username"
          autoCapitalize="none"
          value={email}
          onText={setEmail}
          error={submission.errors.email}
        />
      </Form>
      <p className="entrance-more">
        <Link to="/">Back to signing in</Link>
      </p>
    </Entrance>
  );
}
