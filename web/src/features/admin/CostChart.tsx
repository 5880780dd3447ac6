import type { Bar } from "@/lib/costs";

const width = 720;
const height = 160;
const gap = 2;

interface CostChartProps {
  bars: Bar[];
  /** What the bars say, for those who do not see them; the table below has every number. */
  label: string;
}

/** Bars of hosts and, upon them, providers; what is foreseen is an outline. */
export function CostChart({ bars, label }: CostChartProps) {
  const whole = ({ parts, foreseen }: Bar) => parts[0] + parts[1] + foreseen;
  const most = Math.max(...bars.map(whole), 0);
  const tall = (usd: number) => (most > 0 ? (usd / most) * height : 0);
  const step = width / Math.max(bars.length, 1);
  const wide = Math.max(Math.min(step - gap, 96), 1);
  return (
    <svg
      className="usage-chart"
      viewBox={`0 0 ${width} ${height + 1}`}
      role="img"
      aria-label={label}
    >
      {bars.map((bar, index) => {
        const [hosts, providers] = bar.parts.map(tall) as [number, number];
        const above = tall(bar.foreseen);
        const x = index * step + (step - wide) / 2;
        return (
          <g key={bar.id}>
            <title>{bar.words}</title>
            <rect x={index * step} y={0} width={step} height={height} className="usage-day" />
            <rect x={x} y={height - hosts} width={wide} height={hosts} className="cost-hosts" />
            <rect
              x={x}
              y={height - hosts - providers}
              width={wide}
              height={providers}
              className={bar.part ? "usage-bar usage-bar-part" : "usage-bar"}
            />
            {above > 0 && (
              <rect
                x={x}
                y={height - hosts - providers - above}
                width={wide}
                height={above}
                className="cost-foreseen"
              />
            )}
          </g>
        );
      })}
      <line x1={0} x2={width} y1={height + 0.5} y2={height + 0.5} className="usage-axis" />
    </svg>
  );
}
