import {
  CircleCheck,
  Hourglass,
  KeyRound,
  LoaderCircle,
  TriangleAlert,
  Unplug,
} from "lucide-react";
import type { UpstreamState } from "@/lib/health";

const icons = {
  up: CircleCheck,
  slow: Hourglass,
  loading: LoaderCircle,
  down: Unplug,
  refused: KeyRound,
  broken: TriangleAlert,
};

export function StateIcon({ state }: { state: UpstreamState }) {
  const Icon = icons[state];
  return <Icon size={18} aria-hidden="true" className="state-icon" data-state={state} />;
}
