import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";
import type { Budget, NewBudget, UsageBy, UsageReport } from "./types";

// What was used and what it cost; what may be spent.

export const usageQuery = (by: UsageBy, from: string, everybody: boolean) =>
  queryOptions({
    queryKey: ["usage", by, from, everybody],
    queryFn: (): Promise<UsageReport> =>
      data(api().GET("/api/usage", { params: { query: { by, from, everybody } } })),
  });

export const budgetsQuery = queryOptions({
  queryKey: ["budgets"],
  queryFn: async (): Promise<Budget[]> => (await data(api().GET("/api/budgets"))).items,
});

export const setBudget = (body: NewBudget): Promise<Budget> =>
  data(api().PUT("/api/budgets", { body }));

export async function removeBudget(id: string): Promise<void> {
  await api().DELETE("/api/budgets/{id}", { params: { path: { id } } });
}
