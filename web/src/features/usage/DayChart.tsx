import type { UsageItem } from "@/api/types";
import { heights, type Measure, measured, measuredWords } from "@/lib/usage";
import { BarChart, leastTall } from "@/ui/BarChart";

interface DayChartProps {
  days: UsageItem[];
  measure: Measure;
  /** What the bars say, for those who do not see them; the table below has every number. */
  label: string;
}

/** A bar for each day. */
export function DayChart({ days, measure, label }: DayChartProps) {
  const values = heights(days.map((day) => measured(day, measure)));
  const bars = days.map((day, index) => ({
    id: day.id,
    words: `${day.id}: ${measuredWords(day, measure)}`,
    pieces: [
      {
        tall: Math.max(values[index] ?? 0, day.requests > 0 ? leastTall : 0),
        className: day.unknown_cost > 0 ? "usage-bar usage-bar-part" : "usage-bar",
      },
    ],
  }));
  return <BarChart bars={bars} label={label} />;
}
