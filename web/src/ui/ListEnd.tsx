import { remedyOf } from "@/lib/problems";
import { Button } from "./Button";

interface Pages {
  isPending: boolean;
  isError: boolean;
  error: unknown;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
  refetch: () => unknown;
}

/** The end of a list in pages: it is loading, it could not be loaded, or there is more. */
export function ListEnd({ query, what }: { query: Pages; what: string }) {
  if (query.isPending) return <p className="text-muted">Loading the {what}…</p>;
  if (query.isError) {
    return (
      <div role="alert" className="flex flex-wrap items-center gap-3">
        <p>
          The {what} could not be loaded. {remedyOf(query.error).detail}
        </p>
        <Button small onClick={() => query.refetch()}>
          Load again
        </Button>
      </div>
    );
  }
  if (!query.hasNextPage) return null;
  return (
    <Button small disabled={query.isFetchingNextPage} onClick={() => query.fetchNextPage()}>
      {query.isFetchingNextPage ? "Loading…" : `Show more ${what}`}
    </Button>
  );
}
