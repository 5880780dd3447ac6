import { queryOptions } from "@tanstack/react-query";
import { makePasskey, showPasskey } from "@/lib/passkeys";
import { api, data } from "./client";
import type { Passkey, User } from "./types";

// Passkeys: each is asked for by the server, made or used by the browser, and given back to the server.

export const passkeysQuery = queryOptions({
  queryKey: ["passkeys"],
  queryFn: async (): Promise<Passkey[]> => (await data(api().GET("/api/account/passkeys"))).items,
});

export async function addPasskey(name: string, password: string): Promise<Passkey> {
  const body = password === "" ? {} : { password };
  const { ceremony, options } = await data(api().POST("/auth/passkey/register", { body }));
  const credential = await makePasskey(options);
  return data(
    api().POST("/auth/passkey/register/finish", {
      body: { ceremony, credential, ...(name === "" ? {} : { name }) },
    }),
  );
}

export async function signInWithPasskey(): Promise<User> {
  const { ceremony, options } = await data(api().POST("/auth/passkey/login"));
  const credential = await showPasskey(options);
  const body = { ceremony, credential };
  return (await data(api().POST("/auth/passkey/login/finish", { body })))?.user as User;
}

export const renamePasskey = (id: string, name: string): Promise<Passkey> =>
  data(api().PATCH("/api/account/passkeys/{id}", { params: { path: { id } }, body: { name } }));

/** The last way to sign in goes only with `evenTheLast`. */
export async function removePasskey(id: string, evenTheLast: boolean): Promise<void> {
  const query = evenTheLast ? { even_the_last: true } : {};
  await api().DELETE("/api/account/passkeys/{id}", { params: { path: { id }, query } });
}
