import { Link } from "@tanstack/react-router";
import { ProblemError, remedyOf } from "@/lib/problems";
import { Button } from "@/ui/Button";
import { Sentence } from "@/ui/Sentence";
import { Entrance } from "./Entrance";

interface LinkTroubleProps {
  /** What the link was for, as the title says it. */
  title: string;
  /** Null: the address has no token. */
  error: unknown;
  /** Where another link comes from. */
  remedy: string;
  onRetry: () => void;
}

/** The link leads nowhere: used, too old, withdrawn, cut off; or the server does not answer. */
export function LinkTrouble({ title, error, remedy, onRetry }: LinkTroubleProps) {
  const isBad = error === null || (error instanceof ProblemError && error.problem.status < 429);
  const detail =
    error === null
      ? "The address is not complete: what follows # is missing."
      : remedyOf(error).detail;
  return (
    <Entrance title={title}>
      <div role="alert" className="space-y-3">
        <p>
          <Sentence text={detail} />
        </p>
        {isBad && <p className="text-muted">{remedy}</p>}
      </div>
      {isBad ? (
        <Link to="/" className="link-button self-start">
          Go to the start page
        </Link>
      ) : (
        <Button onClick={onRetry}>Try again</Button>
      )}
    </Entrance>
  );
}

/** While the server is asked about the link. */
export function LinkWaiting({ title }: { title: string }) {
  return <Entrance title={title} lead="Looking at the link…" />;
}
