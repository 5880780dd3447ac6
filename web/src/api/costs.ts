import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";
import type { CheckList, CostReport } from "./types";

// What a month costs; how everything is, for admins.

export const costsQuery = (month: string) =>
  queryOptions({
    queryKey: ["costs", month],
    queryFn: (): Promise<CostReport> =>
      data(api().GET("/api/costs", { params: { query: { month } } })),
  });

/** Asked every five seconds, while the page is looked at. */
export const checksQuery = queryOptions({
  queryKey: ["checks"],
  queryFn: (): Promise<CheckList> => data(api().GET("/api/admin/health")),
  refetchInterval: 5000,
  refetchIntervalInBackground: false,
  refetchOnWindowFocus: true,
});
