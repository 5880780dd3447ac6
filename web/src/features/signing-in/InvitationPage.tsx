import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { acceptInvitation } from "@/api/accounts";
import { enter, ownAccount } from "@/api/signIn";
import { personName, roleWords } from "@/lib/people";
import { Entrance } from "./Entrance";
import { LinkTrouble, LinkWaiting } from "./LinkTrouble";
import { NewcomerForm } from "./NewcomerForm";
import { useLink } from "./useLink";

const title = "You are invited";

/** An account by invitation. */
export default function InvitationPage() {
  const navigate = useNavigate();
  // As it was when the page came: the account made here changes it.
  const [own] = useState(ownAccount);
  const { token, link, error, retry } = useLink();
  const isOther = link !== undefined && link.kind !== "invitation";
  if (token === "" || error || isOther) {
    return (
      <LinkTrouble
        title="This invitation does not work"
        error={error}
        remedy="Ask whoever invited you for another link."
        onRetry={retry}
      />
    );
  }
  if (!link) return <LinkWaiting title={title} />;
  const role = roleWords[link.role ?? "member"];
  return (
    <Entrance
      title={title}
      lead={`Make your account here. As ${role.name.toLowerCase()}: ${role.may}.`}
    >
      {own && (
        <p className="notice-line">
          You are signed in as {personName(own)}. With another account made here, you are signed in
          as that one.
        </p>
      )}
      <NewcomerForm
        label={title}
        action="Make the account"
        email={link.email}
        onSubmit={async (who) => {
          const user = await acceptInvitation(token, who);
          enter(user);
          await navigate({ to: "/", replace: true });
        }}
      />
    </Entrance>
  );
}
