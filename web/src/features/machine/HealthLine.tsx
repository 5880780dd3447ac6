import { useQuery } from "@tanstack/react-query";
import { useConnection } from "@/api/connection";
import { statusQuery } from "@/api/queries";
import type { Status } from "@/api/types";
import { quietLine, stateWord, troubled } from "@/lib/health";
import { StateDot } from "@/ui/StateDot";

/** At the foot of the sidebar: a dot for every model server, and one line. All of it is a click away. */
export function HealthLine({ onOpen }: { onOpen: () => void }) {
  const { data: status } = useQuery(statusQuery);
  const away = useConnection((state) => state.down);
  const { headline, below } = words(status, away);
  const dots = away || !status ? [] : status.upstreams.slice(0, 8);
  return (
    <button type="button" className="health-line" aria-haspopup="dialog" onClick={onOpen}>
      <span className="health-dots">
        {dots.map((upstream) => (
          <StateDot key={upstream.id} state={upstream.state} />
        ))}
        {dots.length === 0 && <StateDot state={away ? "down" : "loading"} />}
      </span>
      <span className="min-w-0 flex-1">
        <span className="block truncate">{headline}</span>
        <span className="block truncate text-muted">{below}</span>
      </span>
      {status && <span className="text-muted">{status.version}</span>}
    </button>
  );
}

function words(status: Status | undefined, away: boolean) {
  if (away) return { headline: "Server not reachable", below: "Trying again" };
  if (!status) return { headline: "Connecting", below: "Looking for models" };
  const ill = status.tiers.find((tier) => tier.state !== "ok");
  if (ill) return { headline: `${ill.name}: ${ill.state}`, below: ill.detail };
  const [worst, ...others] = troubled(status);
  if (!worst) return { headline: "All is well", below: quietLine(status) };
  const more = others.length > 0 ? ` and ${others.length} more` : "";
  return { headline: `${worst.name}: ${stateWord[worst.state]}${more}`, below: quietLine(status) };
}
