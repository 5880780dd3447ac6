import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { usersQuery } from "@/api/accounts";
import { allKeysQuery, revokeKey } from "@/api/keys";
import type { ApiKey } from "@/api/types";
import { announce } from "@/ui/announce";
import { Confirm } from "@/ui/Confirm";
import { KeyRow } from "@/ui/KeyRow";
import { ListEnd } from "@/ui/ListEnd";

/** The keys of everybody, for whoever has to take one back. */
export default function KeysSection() {
  const client = useQueryClient();
  const query = useInfiniteQuery(allKeysQuery);
  const users = useInfiniteQuery(usersQuery);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const keys = query.data?.pages.flatMap((page) => page.items) ?? [];
  const people = users.data?.pages.flatMap((page) => page.items) ?? [];
  const emailOf = (id: string) => people.find((user) => user.id === id)?.email ?? id;

  async function revoke(key: ApiKey) {
    await revokeKey(key.id);
    announce(`Revoked: ${key.name}`);
    await client.invalidateQueries({ queryKey: allKeysQuery.queryKey });
  }

  return (
    <>
      <p className="text-muted">
        Everybody makes keys of their own; the keys themselves nobody sees again.
      </p>
      {query.isSuccess && keys.length === 0 && <p className="text-muted">There is no key yet.</p>}
      <ul className="rows" aria-label="API keys of everybody">
        {keys.map((key) => (
          <KeyRow
            key={key.id}
            apiKey={key}
            whose={emailOf(key.user)}
            onRevoke={() => setRevoking(key)}
          />
        ))}
      </ul>
      <ListEnd query={query} what="keys" />
      {revoking && (
        <Confirm
          title={`Revoke ${revoking.name}?`}
          action="Revoke"
          onClose={() => setRevoking(null)}
          onConfirm={() => revoke(revoking)}
        >
          <p>Whatever uses it is refused from now on. This cannot be undone.</p>
        </Confirm>
      )}
    </>
  );
}
