import { pages } from "./accounts";
import { api, data } from "./client";
import type { ApiKey, ApiKeyMade, ApiKeyPage, NewApiKey } from "./types";

// Keys of the API: what programs call this server with.

export const createKey = (body: NewApiKey): Promise<ApiKeyMade> =>
  data(api().POST("/api/keys", { body }));

export const revokeKey = (id: string): Promise<ApiKey> =>
  data(api().DELETE("/api/keys/{id}", { params: { path: { id } } }));

export const ownKeysQuery = pages<ApiKeyPage>("keys", (query) =>
  data(api().GET("/api/keys", { params: { query } })),
);

export const allKeysQuery = pages<ApiKeyPage>("all-keys", (query) =>
  data(api().GET("/api/keys", { params: { query: { ...query, everybody: true } } })),
);
