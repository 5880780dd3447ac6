import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";
import type { Cloud, CloudChange, CloudTest } from "./types";

// Clouds known by name: keys, addresses, switches, and how they are.

export const cloudsQuery = queryOptions({
  queryKey: ["clouds"],
  queryFn: async (): Promise<Cloud[]> => (await data(api().GET("/api/providers"))).items,
});

export const updateCloud = (id: string, body: CloudChange): Promise<Cloud> =>
  data(api().PUT("/api/providers/{id}", { params: { path: { id } }, body }));

export async function forgetCloud(id: string): Promise<void> {
  await api().DELETE("/api/providers/{id}", { params: { path: { id } } });
}

export const testCloud = (id: string): Promise<CloudTest> =>
  data(api().POST("/api/providers/{id}/test", { params: { path: { id } } }));
