import type { CostBar } from "@/lib/costs";
import { BarChart } from "@/ui/BarChart";

interface CostChartProps {
  bars: CostBar[];
  /** What the bars say, for those who do not see them; the table below has every number. */
  label: string;
}

/** Bars of hosts and, upon them, providers; what is foreseen is an outline. */
export function CostChart({ bars, label }: CostChartProps) {
  const whole = ({ parts, foreseen }: CostBar) => parts[0] + parts[1] + foreseen;
  const most = Math.max(...bars.map(whole), 0);
  const tall = (usd: number) => (most > 0 ? usd / most : 0);
  const drawn = bars.map(({ id, words, parts: [hosts, providers], foreseen, part }) => ({
    id,
    words,
    pieces: [
      { tall: tall(hosts), className: "cost-hosts" },
      { tall: tall(providers), className: part ? "usage-bar usage-bar-part" : "usage-bar" },
      ...(foreseen > 0 ? [{ tall: tall(foreseen), className: "cost-foreseen" }] : []),
    ],
  }));
  return <BarChart bars={drawn} label={label} widest={96} />;
}
