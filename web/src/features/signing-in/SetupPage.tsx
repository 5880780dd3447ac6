import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { createFirstAccount } from "@/api/accounts";
import { enter, useSignIn } from "@/api/signIn";
import { Entrance } from "./Entrance";
import { LinkTrouble, LinkWaiting } from "./LinkTrouble";
import { NewcomerForm } from "./NewcomerForm";
import { useLink } from "./useLink";

const title = "Set up Goblin";

/** The first account, by the link the program printed; in local mode nobody needs one. */
export default function SetupPage() {
  const navigate = useNavigate();
  // As it was when the page came: the account made here changes it.
  const [mode] = useState(() => useSignIn.getState().state?.mode);
  const { token, link, error, retry } = useLink();

  if (mode === "accounts") {
    return (
      <Entrance title={title} lead="This server has its owner already.">
        <Link to="/" className="link-button self-start">
          Go to the start page
        </Link>
      </Entrance>
    );
  }
  if (mode !== "local") {
    if (token === "" || error) {
      return (
        <LinkTrouble
          title={title}
          error={error}
          remedy="The set-up link is what the program printed when it started; it is also in the file first-link of its data directory. A new start makes a new one."
          onRetry={retry}
        />
      );
    }
    if (!link) return <LinkWaiting title={title} />;
  }

  const lead =
    mode === "local"
      ? "Make an account, and from then on this server asks everybody to sign in. The chats you have are that account's."
      : "You are the first one here. The account you make now is the owner's: it may do everything, and invites the others.";
  return (
    <Entrance title={title} lead={lead}>
      <NewcomerForm
        label={title}
        action="Make the owner's account"
        onSubmit={async (who) => {
          const user = await createFirstAccount(token, who);
          enter(user);
          await navigate({ to: "/", replace: true });
        }}
      />
    </Entrance>
  );
}
