import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { verifyEmail } from "@/api/accounts";
import { useSubmission } from "@/lib/useSubmission";
import { Form } from "@/ui/Form";
import { Entrance } from "./Entrance";
import { LinkTrouble, LinkWaiting } from "./LinkTrouble";
import { useLink } from "./useLink";

const title = "Is this your e-mail address?";

/** Shows that an address is its owner's, by the link that was sent there. A letter that is only looked at does nothing. */
export default function VerifyPage() {
  const { token, link, error, retry } = useLink();
  const [done, setDone] = useState(false);
  const submission = useSubmission([], () => verifyEmail(token));
  if (done) {
    return (
      <Entrance title="Thank you" lead="This e-mail address is yours.">
        <Link to="/" replace className="link-button self-start">
          Go on
        </Link>
      </Entrance>
    );
  }
  const isOther = link !== undefined && link.kind !== "verification";
  if (token === "" || error || isOther) {
    return (
      <LinkTrouble
        title="This link does not work"
        error={error}
        remedy="Such a link works once. Ask for another one under Your account."
        onRetry={retry}
      />
    );
  }
  if (!link) return <LinkWaiting title={title} />;
  return (
    <Entrance title={title} lead={link.email}>
      <Form
        label={title}
        submission={submission}
        action="It is mine"
        busy="Noting it…"
        wide
        onDone={() => setDone(true)}
      >
        {null}
      </Form>
    </Entrance>
  );
}
