import { type ReactNode, useEffect } from "react";
import { useSignIn } from "@/api/signIn";
import { isThisMachine } from "@/lib/people";
import { GoblinMark } from "@/ui/GoblinMark";

interface EntranceProps {
  title: string;
  /** A sentence under the title. */
  lead?: ReactNode;
  children?: ReactNode;
}

/** The frame of every screen somebody sees before being signed in. */
export function Entrance({ title, lead, children }: EntranceProps) {
  useEffect(() => {
    document.title = `${title} · Goblin`;
  }, [title]);
  return (
    <main className="entrance">
      <div className="entrance-card">
        <div className="entrance-head">
          <GoblinMark size={56} />
          <h1>{title}</h1>
          {lead && <p>{lead}</p>}
        </div>
        <WayNotice />
        {children}
      </div>
    </main>
  );
}

/** How the page was reached matters to whoever types a password. */
function WayNotice() {
  const way = useSignIn(({ state }) => state?.way);
  if (way === "far") {
    return (
      <p role="alert" className="notice-line">
        This page is not encrypted, and it does not come from your own network: nobody can sign in
        here. Open it with https.
      </p>
    );
  }
  if (way === "near" && !isThisMachine(window.location.hostname)) {
    return (
      <p className="notice-line">
        This page is not encrypted. Whoever listens in your network can read the password.
      </p>
    );
  }
  return null;
}
