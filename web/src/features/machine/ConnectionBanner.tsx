import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { onReconnect, tryNow, useConnection } from "@/api/connection";
import { apiAddress } from "@/api/origin";
import { Button } from "@/ui/Button";

/** Says that the server does not answer, where it was looked for, and when that happens again. */
export function ConnectionBanner() {
  const client = useQueryClient();
  const { down, nextAttemptAt } = useConnection();
  const left = useSecondsUntil(nextAttemptAt);
  // What failed to load while the server was away is asked for again.
  useEffect(() => onReconnect(() => client.invalidateQueries()), [client]);
  if (!down) return null;
  return (
    <section aria-label="Connection" className="connection-banner">
      <p role="alert">
        <strong>No answer from {apiAddress()}.</strong> Is the server running? Start it with{" "}
        <code className="font-mono">goblin up</code>. What you write is kept.
      </p>
      <p className="flex items-center gap-3 whitespace-nowrap">
        <span className="tabular-nums">
          {left === null ? "Trying…" : `Trying again in ${left} s`}
        </span>
        <Button small onClick={tryNow}>
          Try now
        </Button>
      </p>
    </section>
  );
}

function useSecondsUntil(time: number | null): number | null {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (time === null) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [time]);
  return time === null ? null : Math.max(0, Math.ceil((time - now) / 1000));
}
