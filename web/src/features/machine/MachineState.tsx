import { useQuery } from "@tanstack/react-query";
import { useConnection } from "@/api/connection";
import { statusQuery } from "@/api/queries";
import type { Status, Tier } from "@/api/types";

/** One line at the foot of the sidebar: is everything that answers questions well? */
export function MachineState() {
  const { data: status } = useQuery(statusQuery);
  const down = useConnection((state) => state.down);
  const { state, text, detail } = summary(status, down);
  return (
    <p className="machine-state" data-state={state} title={detail}>
      <span aria-hidden="true" className="machine-dot" />
      <span className="min-w-0 flex-1 truncate">{text}</span>
      {status && <span className="text-muted">{status.version}</span>}
    </p>
  );
}

function summary(status: Status | undefined, down: boolean) {
  if (down) return { state: "down", text: "Server not reachable", detail: "" };
  if (!status) return { state: "starting", text: "Connecting", detail: "" };
  const worst = (["down", "degraded", "starting"] as const)
    .map((state) => status.tiers.find((tier) => tier.state === state))
    .find((tier) => tier !== undefined);
  if (!worst) return { state: "ok", text: "All is well", detail: "" };
  return { state: worst.state, text: `${worst.name}: ${worst.state}`, detail: sentence(worst) };
}

const sentence = (tier: Tier) => (tier.fix ? `${tier.detail} ${tier.fix}` : tier.detail);
