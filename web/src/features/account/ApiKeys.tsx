import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { createKey, ownKeysQuery, revokeKey } from "@/api/keys";
import { useOwnAccount } from "@/api/signIn";
import type { ApiKey, ApiKeyMade } from "@/api/types";
import { problemsOf } from "@/lib/credentials";
import { endOf, entriesOf, type Lifetime, lifetimes, type Use, uses } from "@/lib/keys";
import { reaches } from "@/lib/people";
import { useSubmission } from "@/lib/useSubmission";
import { announce } from "@/ui/announce";
import { Confirm } from "@/ui/Confirm";
import { Choice, Field, PasswordField } from "@/ui/Field";
import { Form } from "@/ui/Form";
import { KeyRow } from "@/ui/KeyRow";
import { ListEnd } from "@/ui/ListEnd";
import { ShownOnce } from "@/ui/ShownOnce";

/** What one's programs call this server with. */
export default function ApiKeys() {
  const client = useQueryClient();
  const own = useOwnAccount();
  const query = useInfiniteQuery(ownKeysQuery);
  const [made, setMade] = useState<ApiKeyMade | null>(null);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const keys = query.data?.pages.flatMap((page) => page.items) ?? [];
  const reload = () => client.invalidateQueries({ queryKey: ownKeysQuery.queryKey });

  async function revoke(key: ApiKey) {
    await revokeKey(key.id);
    announce(`Revoked: ${key.name}`);
    if (made?.api_key.id === key.id) setMade(null);
    await reload();
  }

  return (
    <>
      <p className="text-muted">
        A program sends its key with every request, as <code>Authorization: Bearer</code> or{" "}
        <code>x-api-key</code>, and acts for you: it asks models under <code>/v1</code>, and cannot
        see your chats or your account.
      </p>
      {reaches(own?.role ?? "viewer", "member") && (
        <KeyForm
          onMade={(key) => {
            setMade(key);
            reload();
          }}
        />
      )}
      {made && (
        <ShownOnce
          key={made.api_key.id}
          title={`The key ${made.api_key.name}`}
          secret={made.key}
          copyLabel="Copy key"
          onDone={() => setMade(null)}
        >
          Give it to the program now: it is not shown again. A lost key is replaced, not recovered.
        </ShownOnce>
      )}
      <h3>Your keys</h3>
      {query.isSuccess && keys.length === 0 && <p className="text-muted">You have no key yet.</p>}
      <ul className="rows" aria-label="API keys">
        {keys.map((key) => (
          <KeyRow key={key.id} apiKey={key} onRevoke={() => setRevoking(key)} />
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

function KeyForm({ onMade }: { onMade: (made: ApiKeyMade) => void }) {
  const [name, setName] = useState("");
  const [use, setUse] = useState<Use>("infer,embed");
  const [lifetime, setLifetime] = useState<Lifetime>("90");
  const [models, setModels] = useState("");
  const [networks, setNetworks] = useState("");
  const [password, setPassword] = useState("");
  const submission = useSubmission(["name", "models", "networks", "password"], async () => {
    const end = endOf(lifetime, Date.now());
    const [only, from] = [entriesOf(models), entriesOf(networks)];
    const made = await createKey({
      name: name.trim(),
      scopes: use.split(","),
      ...(end === null ? {} : { expires_at: end }),
      ...(only.length === 0 ? {} : { models: only }),
      ...(from.length === 0 ? {} : { networks: from }),
      ...(password === "" ? {} : { password }),
    });
    setName("");
    setPassword("");
    onMade(made);
  });
  return (
    <Form
      label="Make a key"
      submission={submission}
      check={() => problemsOf({ name: name.trim() === "" ? "Say who or what uses it" : undefined })}
      action="Make a key"
      busy="Making it…"
    >
      <Field
        label="Name"
        name="key-name"
        autoComplete="off"
        value={name}
        onText={setName}
        hint="Who or what uses it"
        error={submission.errors.name}
      />
      <Choice label="It may" value={use} choices={[...uses]} onChoose={setUse} />
      <Choice label="It ends" value={lifetime} choices={[...lifetimes]} onChoose={setLifetime} />
      <Field
        label="Models"
        name="key-models"
        autoComplete="off"
        value={models}
        onText={setModels}
        hint="Names with commas between them, like goblin, ollama/*; left empty, every model"
        error={submission.errors.models}
      />
      <Field
        label="Addresses"
        name="key-networks"
        autoComplete="off"
        value={networks}
        onText={setNetworks}
        hint="Like 10.0.0.0/8, with commas between them; left empty, from anywhere"
        error={submission.errors.networks}
      />
      {/* The server says when the sign-in is too old to make something that outlives it. */}
      {(submission.errors.password !== undefined || password !== "") && (
        <PasswordField
          label="Your password"
          name="password"
          autoComplete="current-password"
          value={password}
          onText={setPassword}
          error={submission.errors.password}
        />
      )}
    </Form>
  );
}
