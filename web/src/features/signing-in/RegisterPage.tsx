import { Link, useNavigate } from "@tanstack/react-router";
import { registerAccount } from "@/api/accounts";
import { enter, useSignIn } from "@/api/signIn";
import { Entrance } from "./Entrance";
import { NewcomerForm } from "./NewcomerForm";

const title = "Make an account";

/** An account for whoever comes, where an operator has opened that. */
export default function RegisterPage() {
  const navigate = useNavigate();
  const isOpen = useSignIn(({ state }) => state?.registration_open === true);
  if (!isOpen) {
    return (
      <Entrance title={title} lead="People come here by invitation. Ask an owner or admin for one.">
        <Link to="/" className="link-button self-start">
          Go to the start page
        </Link>
      </Entrance>
    );
  }
  return (
    <Entrance title={title}>
      <NewcomerForm
        label={title}
        action="Make the account"
        onSubmit={async (who) => {
          enter(await registerAccount(who));
          await navigate({ to: "/", replace: true });
        }}
      />
    </Entrance>
  );
}
