import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link2 } from "lucide-react";
import { useState } from "react";
import { identitiesQuery, linkAt, unlinkIdentity } from "@/api/identities";
import { useSignIn } from "@/api/signIn";
import type { LinkedIdentity } from "@/api/types";
import { troubleElsewhere } from "@/lib/elsewhere";
import { dateAndTime, relative } from "@/lib/people";
import { remedyOf } from "@/lib/problems";
import { useReturned } from "@/lib/useReturned";
import { useSubmission } from "@/lib/useSubmission";
import { announce } from "@/ui/announce";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { PasswordField } from "@/ui/Field";
import { Form } from "@/ui/Form";

/** What is about to be done to the account. */
type Plan =
  | { what: "link"; id: string; name: string }
  | { what: "unlink"; id: string; name: string };

const nameOf = (identity: LinkedIdentity) => identity.provider ?? new URL(identity.issuer).host;

/** Accounts elsewhere that sign in to this one. */
export default function LinkedIdentities() {
  const client = useQueryClient();
  const query = useQuery(identitiesQuery);
  const providers = useSignIn(({ state }) => state?.providers) ?? [];
  const returned = useReturned();
  const [plan, setPlan] = useState<Plan | null>(null);
  const trouble = troubleElsewhere(returned);
  const linked = new URLSearchParams(returned).get("linked");
  const said = providers.find(({ id }) => id === linked)?.name;
  const identities = query.data ?? [];

  return (
    <>
      <p className="text-muted">
        Another way to sign in to this account. Nothing but who you are there is asked for.
      </p>
      {trouble && (
        <p role="alert" className="form-failure">
          {trouble}
        </p>
      )}
      {said && <p role="status">{said} is linked. From now on you can sign in with it.</p>}
      {query.isError && (
        <p role="alert" className="form-failure">
          {remedyOf(query.error).detail}
        </p>
      )}
      <ul className="rows" aria-label="Linked sign-ins">
        {identities.map((identity) => (
          <IdentityRow
            key={identity.id}
            identity={identity}
            onUnlink={() => setPlan({ what: "unlink", id: identity.id, name: nameOf(identity) })}
          />
        ))}
      </ul>
      {query.isSuccess && identities.length === 0 && <p className="text-muted">None is linked.</p>}
      {providers.length === 0 && (
        <p className="text-muted">Whoever runs this server has named no provider to sign in at.</p>
      )}
      <div className="flex flex-wrap gap-2">
        {providers.map(({ id, name }) => (
          <Button key={id} small onClick={() => setPlan({ what: "link", id, name })}>
            Link {name}
          </Button>
        ))}
      </div>
      {plan && (
        <PlanDialog
          plan={plan}
          onClose={() => setPlan(null)}
          onDone={async () => {
            await client.invalidateQueries({ queryKey: identitiesQuery.queryKey });
            if (plan.what === "unlink") announce(`${plan.name} is not linked any more`);
          }}
        />
      )}
    </>
  );
}

function IdentityRow({ identity, onUnlink }: { identity: LinkedIdentity; onUnlink: () => void }) {
  const name = nameOf(identity);
  const now = Date.now();
  return (
    <li>
      <Link2 size={18} aria-hidden="true" className="row-icon" />
      <div className="row-text">
        <p>
          <strong>{name}</strong>
        </p>
        <p className="row-more">
          {identity.email && <span>{identity.email}</span>}
          <span title={dateAndTime(identity.created_at)}>
            linked {relative(identity.created_at, now)}
          </span>
          <span>used {relative(identity.used_at, now)}</span>
        </p>
      </div>
      <Button small aria-label={`Unlink ${name}`} onClick={onUnlink}>
        Unlink
      </Button>
    </li>
  );
}

interface PlanDialogProps {
  plan: Plan;
  onClose: () => void;
  onDone: () => Promise<void>;
}

/** Asks once more, and for the password where the sign-in is not of just now: the server says whether it is needed. */
function PlanDialog({ plan, onClose, onDone }: PlanDialogProps) {
  const [password, setPassword] = useState("");
  const submission = useSubmission(["password"], () =>
    plan.what === "link" ? linkAt(plan.id, password) : unlinkIdentity(plan.id, password),
  );
  const needed = submission.errors.password !== undefined || password !== "";
  const linking = plan.what === "link";
  return (
    <Dialog title={linking ? `Link ${plan.name}?` : `Unlink ${plan.name}?`} onClose={onClose}>
      <Form
        label={linking ? `Link ${plan.name}` : `Unlink ${plan.name}`}
        submission={submission}
        action={linking ? `Go to ${plan.name}` : "Unlink"}
        busy={linking ? `Going to ${plan.name}…` : "Unlinking…"}
        onDone={async () => {
          await onDone();
          if (!linking) onClose();
        }}
      >
        <p>
          {linking
            ? `You sign in at ${plan.name} now. Whoever can sign in to that account there can then sign in to yours here.`
            : `You cannot sign in with ${plan.name} any more. Sign-ins that are open stay.`}
        </p>
        {needed && (
          <PasswordField
            label="Your password here"
            name="password"
            autoComplete="current-password"
            value={password}
            onText={setPassword}
            error={submission.errors.password}
          />
        )}
      </Form>
    </Dialog>
  );
}
