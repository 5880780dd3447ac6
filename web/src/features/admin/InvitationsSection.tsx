import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { createInvitation, deleteInvitation, invitationsQuery, linkAddress } from "@/api/accounts";
import { useOwnAccount } from "@/api/signIn";
import type { Invitation, LinkMade, Role } from "@/api/types";
import { emailProblem, problemsOf } from "@/lib/credentials";
import { dateAndTime, relative, rolesBelow, roleWords } from "@/lib/people";
import { remedyOf } from "@/lib/problems";
import { useSubmission } from "@/lib/useSubmission";
import { announce } from "@/ui/announce";
import { Button } from "@/ui/Button";
import { Choice, Field } from "@/ui/Field";
import { Form } from "@/ui/Form";
import { ListEnd } from "@/ui/ListEnd";
import { ShownOnce } from "@/ui/ShownOnce";
import { showToast } from "@/ui/toasts";

/** Who may come: a link for somebody, and the links nobody has taken yet. */
export default function InvitationsSection() {
  const client = useQueryClient();
  const query = useInfiniteQuery(invitationsQuery);
  const [made, setMade] = useState<{ link: LinkMade; email: string } | null>(null);
  const invitations = query.data?.pages.flatMap((page) => page.items) ?? [];
  const reload = () => client.invalidateQueries({ queryKey: invitationsQuery.queryKey });

  async function withdraw(invitation: Invitation) {
    try {
      await deleteInvitation(invitation.id);
      announce("Invitation withdrawn");
      if (made?.link.id === invitation.id) setMade(null);
    } catch (error) {
      showToast({ text: `Not withdrawn. ${remedyOf(error).detail}`, milliseconds: 8000 });
    }
    await reload();
  }

  return (
    <>
      <InvitationForm
        onMade={(link, email) => {
          setMade({ link, email });
          reload();
        }}
      />
      {made && (
        <ShownOnce
          key={made.link.id}
          title="The invitation's link"
          secret={linkAddress(made.link)}
          copyLabel="Copy link"
          onDone={() => setMade(null)}
        >
          Give it to {made.email === "" ? "one person" : made.email}. It works once, until{" "}
          {dateAndTime(made.link.expires_at)}, and is not shown again.
        </ShownOnce>
      )}
      <h3>Not taken yet</h3>
      {query.isSuccess && invitations.length === 0 && (
        <p className="text-muted">No invitation is open.</p>
      )}
      <ul className="rows" aria-label="Open invitations">
        {invitations.map((invitation) => (
          <InvitationRow
            key={invitation.id}
            invitation={invitation}
            onWithdraw={() => withdraw(invitation)}
          />
        ))}
      </ul>
      <ListEnd query={query} what="invitations" />
    </>
  );
}

function InvitationForm({ onMade }: { onMade: (link: LinkMade, email: string) => void }) {
  const own = useOwnAccount();
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("member");
  const given = rolesBelow(own?.role ?? "viewer");
  const submission = useSubmission(["email"], async () => {
    const address = email.trim();
    onMade(
      await createInvitation({ role, ...(address === "" ? {} : { email: address }) }),
      address,
    );
    setEmail("");
  });
  return (
    <Form
      label="Invite somebody"
      submission={submission}
      check={() => problemsOf({ email: email.trim() === "" ? undefined : emailProblem(email) })}
      action="Make an invitation"
      busy="Making it…"
    >
      <Field
        label="E-mail address"
        type="email"
        name="email"
        autoComplete="off"
        value={email}
        onText={setEmail}
        hint="Of the one who may use it; left empty, whoever has the link may"
        error={submission.errors.email}
      />
      <Choice
        label="Role"
        value={role}
        choices={given.map((value) => ({
          value,
          label: `${roleWords[value].name}: ${roleWords[value].may}`,
        }))}
        onChoose={setRole}
      />
    </Form>
  );
}

interface InvitationRowProps {
  invitation: Invitation;
  onWithdraw: () => void;
}

function InvitationRow({ invitation, onWithdraw }: InvitationRowProps) {
  const whom = invitation.email ?? "Whoever has the link";
  return (
    <li data-invitation={invitation.id}>
      <div className="row-text">
        <p>
          <strong>{whom}</strong>
        </p>
        <p className="row-more">
          <span>as {roleWords[invitation.role].name.toLowerCase()}</span>
          <span title={dateAndTime(invitation.expires_at)}>
            ends {relative(invitation.expires_at, Date.now())}
          </span>
        </p>
      </div>
      <Button small aria-label={`Withdraw the invitation of ${whom}`} onClick={onWithdraw}>
        Withdraw
      </Button>
    </li>
  );
}
