/** How something is, as a shape and a colour. The word always stands beside it. */
export function StateDot({ state }: { state: string }) {
  return <span aria-hidden="true" className="state-dot" data-state={state} />;
}
