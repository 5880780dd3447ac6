import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { LogOut, Monitor, Smartphone, SquareTerminal } from "lucide-react";
import { useState } from "react";
import { endOtherSessions, endSession, sessionsQuery } from "@/api/accounts";
import type { Session } from "@/api/types";
import { dateAndTime, deviceName, relative, signedInBy } from "@/lib/people";
import { remedyOf } from "@/lib/problems";
import { announce } from "@/ui/announce";
import { Button } from "@/ui/Button";
import { Confirm } from "@/ui/Confirm";
import { ListEnd } from "@/ui/ListEnd";
import { showToast } from "@/ui/toasts";

/** Where one is signed in, and how to end it there. */
export default function SessionsSection() {
  const client = useQueryClient();
  const query = useInfiniteQuery(sessionsQuery);
  const [ending, setEnding] = useState(false);
  const sessions = query.data?.pages.flatMap((page) => page.items) ?? [];
  const others = sessions.filter((session) => !session.current).length;
  const reload = () => client.invalidateQueries({ queryKey: sessionsQuery.queryKey });

  async function end(session: Session) {
    try {
      await endSession(session.id);
      announce(`Signed out: ${deviceName(session)}`);
    } catch (error) {
      showToast({ text: `Not ended. ${remedyOf(error).detail}`, milliseconds: 8000 });
    }
    await reload();
  }

  return (
    <>
      <p className="text-muted">
        What you end is over at once, everywhere. The one you look at this page with ends by signing
        out.
      </p>
      <ul className="rows" aria-label="Sign-ins">
        {sessions.map((session) => (
          <SessionRow key={session.id} session={session} onEnd={() => end(session)} />
        ))}
      </ul>
      <ListEnd query={query} what="sign-ins" />
      {others > 0 && (
        <div>
          <Button small onClick={() => setEnding(true)}>
            <LogOut size={15} />
            Sign out everywhere else
          </Button>
        </div>
      )}
      {ending && (
        <Confirm
          title="Sign out everywhere else?"
          action="Sign out everywhere else"
          onClose={() => setEnding(false)}
          onConfirm={async () => {
            const ended = await endOtherSessions();
            announce(`Sign-ins ended: ${ended}`);
            await reload();
          }}
        >
          <p>Every browser and program but this one has to sign in again.</p>
        </Confirm>
      )}
    </>
  );
}

function SessionRow({ session, onEnd }: { session: Session; onEnd: () => void }) {
  const name = deviceName(session);
  const now = Date.now();
  return (
    <li data-session={session.id}>
      <SessionIcon session={session} />
      <div className="row-text">
        <p>
          <strong>{name}</strong>
          {session.current && <span className="state-mark ml-2">this one</span>}
        </p>
        <p className="row-more">
          {session.address && <span>{session.address}</span>}
          <span>used {relative(session.seen_at, now)}</span>
          <span>signed in {signedInBy(session.signed_in_by)}</span>
          <span title={dateAndTime(session.idle_until)}>
            ends {relative(session.idle_until, now)} unless used
          </span>
        </p>
      </div>
      {!session.current && (
        <Button small aria-label={`Sign out ${name}`} onClick={onEnd}>
          Sign out
        </Button>
      )}
    </li>
  );
}

function SessionIcon({ session }: { session: Session }) {
  const Icon =
    session.kind === "tokens"
      ? SquareTerminal
      : /Mobile|Android|iPhone/.test(session.device ?? "")
        ? Smartphone
        : Monitor;
  return <Icon size={18} aria-hidden="true" className="row-icon" />;
}
