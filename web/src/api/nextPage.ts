import { useEffect } from "react";

/** What is needed of an infinite query; all of it changes with the query. */
interface Pages {
  data: unknown;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  isFetchNextPageError: boolean;
  fetchNextPage: () => unknown;
}

/**
 * Asks for the next page while it is wanted. A page that failed is not asked for again by itself:
 * the query must be well again first (it is read anew when the server is back), or a person asks.
 */
export function useNextPage(pages: Pages, wanted: boolean): void {
  const { data, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = pages;
  const due = wanted && hasNextPage && !isFetchingNextPage && !isFetchNextPageError;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a page may come so fast that only the data tells
  useEffect(() => {
    if (due) fetchNextPage();
  }, [due, data, fetchNextPage]);
}
