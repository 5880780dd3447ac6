import { heights } from "@/lib/usage";

const width = 240;
const height = 40;

interface SparklineProps {
  /** Oldest first. */
  values: number[];
  /** How many there are at most: the newest is at the right edge. */
  most: number;
  /** What the line says, with the newest value. */
  label: string;
}

/** How a number went lately. */
export function Sparkline({ values, most, label }: SparklineProps) {
  const step = width / Math.max(most - 1, 1);
  // One value alone is a short line.
  const drawn = values.length === 1 ? [...values, ...values] : values;
  const left = width - (drawn.length - 1) * step;
  const points = heights(drawn).map(
    (tall, index) => `${left + index * step},${height - 1 - tall * (height - 2)}`,
  );
  return (
    <svg
      className="sparkline"
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
      preserveAspectRatio="none"
    >
      <polyline points={points.join(" ")} />
    </svg>
  );
}
