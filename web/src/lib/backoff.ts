/** Seconds until attempt number `attempt` (from 0): 0.5, 1, 2, 4, 8, then 10 for as long as it takes. */
export function backoffSeconds(attempt: number): number {
  return Math.min(10, 0.5 * 2 ** Math.max(0, attempt));
}
