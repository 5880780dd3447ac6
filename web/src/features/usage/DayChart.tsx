import type { UsageItem } from "@/api/types";
import { heights, type Measure, measured, measuredWords } from "@/lib/usage";

const width = 720;
const height = 160;
const gap = 2;

interface DayChartProps {
  days: UsageItem[];
  measure: Measure;
  /** What the bars say, for those who do not see them; the table below has every number. */
  label: string;
}

/** A bar for each day. */
export function DayChart({ days, measure, label }: DayChartProps) {
  const values = heights(days.map((day) => measured(day, measure)));
  const step = width / Math.max(days.length, 1);
  return (
    <svg
      className="usage-chart"
      viewBox={`0 0 ${width} ${height + 1}`}
      role="img"
      aria-label={label}
    >
      {days.map((day, index) => {
        const tall = Math.max((values[index] ?? 0) * height, day.requests > 0 ? 2 : 0);
        return (
          <g key={day.id}>
            <title>{`${day.id}: ${measuredWords(day, measure)}`}</title>
            {/* As high as the chart, so that a low bar can be pointed at too. */}
            <rect x={index * step} y={0} width={step} height={height} className="usage-day" />
            <rect
              x={index * step + gap / 2}
              y={height - tall}
              width={Math.max(step - gap, 1)}
              height={tall}
              className={day.unknown_cost > 0 ? "usage-bar usage-bar-part" : "usage-bar"}
            />
          </g>
        );
      })}
      <line x1={0} x2={width} y1={height + 0.5} y2={height + 0.5} className="usage-axis" />
    </svg>
  );
}
