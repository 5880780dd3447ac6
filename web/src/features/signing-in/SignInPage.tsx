import { Link } from "@tanstack/react-router";
import { enter, useSignIn } from "@/api/signIn";
import { Entrance } from "./Entrance";
import { ways } from "./ways";

/**
 * Stands in the place of what somebody wanted to see, at the same address; what was being written there is kept, and
 * signed in they are where they were.
 */
export default function SignInPage() {
  const { state, ended } = useSignIn();
  if (!state) return null;
  const lead = ended
    ? "Your sign-in is over. Sign in again to go on where you were; what you wrote is kept."
    : "Sign in to ask and to see your chats.";
  return (
    <Entrance title="Sign in" lead={lead}>
      {state.way !== "far" &&
        ways
          .filter(({ method }) => state.methods.includes(method))
          .map(({ method, Body }) => <Body key={method} state={state} onSignedIn={enter} />)}
      <p className="entrance-more">
        {state.registration_open ? (
          <>
            No account? <Link to="/register">Make one</Link>.{" "}
          </>
        ) : (
          "No account? Ask an owner or admin here for an invitation. "
        )}
        {state.sends_mail ? (
          <Link to="/forgot">Forgot the password?</Link>
        ) : (
          "Forgot the password? An owner or admin can make a link for another one."
        )}
      </p>
    </Entrance>
  );
}
