const width = 720;
const height = 160;
const gap = 2;

export interface Bar {
  id: string;
  /** What it says, for whoever points at it. */
  words: string;
  /** Its pieces from the ground up: how tall, 1 being the whole chart, and how it is drawn. */
  pieces: { tall: number; className: string }[];
}

interface BarChartProps {
  bars: Bar[];
  /** What the bars say, for those who do not see them; a table has every number. */
  label: string;
  /** Widest a bar gets; without it each takes its whole place. */
  widest?: number;
}

/** Bars beside each other, each of pieces one upon the other. */
export function BarChart({ bars, label, widest = width }: BarChartProps) {
  const step = width / Math.max(bars.length, 1);
  const wide = Math.max(Math.min(step - gap, widest), 1);
  return (
    <svg
      className="usage-chart"
      viewBox={`0 0 ${width} ${height + 1}`}
      role="img"
      aria-label={label}
    >
      {bars.map((bar, index) => {
        let top = height;
        return (
          <g key={bar.id}>
            <title>{bar.words}</title>
            {/* As high as the chart, so that a low bar can be pointed at too. */}
            <rect x={index * step} y={0} width={step} height={height} className="usage-day" />
            {bar.pieces.map(({ tall, className }) => {
              top -= tall * height;
              return (
                <rect
                  key={className}
                  x={index * step + (step - wide) / 2}
                  y={top}
                  width={wide}
                  height={tall * height}
                  className={className}
                />
              );
            })}
          </g>
        );
      })}
      <line x1={0} x2={width} y1={height + 0.5} y2={height + 0.5} className="usage-axis" />
    </svg>
  );
}

/** Least of a bar that is not empty, so that it is seen. */
export const leastTall = 2 / height;
