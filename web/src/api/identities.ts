import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";
import type { LinkedIdentity } from "./types";

// Signing in by others' word, and what is linked to one's own account.

/** Sends the browser to a provider; it comes back signed in. */
export async function signInAt(provider: string): Promise<void> {
  const path = { provider };
  const { url } = await data(api().GET("/auth/oidc/{provider}/url", { params: { path } }));
  window.location.assign(url);
}

/** Sends the browser to a provider; it comes back with that account linked. */
export async function linkAt(provider: string, password: string): Promise<void> {
  const body = password === "" ? { provider } : { provider, password };
  const begun = await data(api().POST("/api/account/identities", { body }));
  if (begun) window.location.assign(begun.url);
}

export async function unlinkIdentity(id: string, password: string): Promise<void> {
  await api().DELETE("/api/account/identities/{id}", {
    params: { path: { id } },
    body: password === "" ? {} : { password },
  });
}

export const identitiesQuery = queryOptions({
  queryKey: ["identities"],
  queryFn: async (): Promise<LinkedIdentity[]> =>
    (await data(api().GET("/api/account/identities"))).items,
});
