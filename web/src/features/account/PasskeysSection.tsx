import { useQuery, useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState } from "react";
import { addPasskey, passkeysQuery, removePasskey, renamePasskey } from "@/api/passkeys";
import { useSignIn } from "@/api/signIn";
import type { Passkey } from "@/api/types";
import { hasPasskeys } from "@/lib/passkeys";
import { dateAndTime, relative } from "@/lib/people";
import { ProblemError, remedyOf } from "@/lib/problems";
import { fieldErrors, useSubmission } from "@/lib/useSubmission";
import { announce } from "@/ui/announce";
import { Button } from "@/ui/Button";
import { Confirm } from "@/ui/Confirm";
import { Field, PasswordField } from "@/ui/Field";
import { Form } from "@/ui/Form";

/** The passkeys of one's account: made, renamed, removed. */
export default function PasskeysSection() {
  const client = useQueryClient();
  const query = useQuery(passkeysQuery);
  const [renaming, setRenaming] = useState<string | null>(null);
  const [removing, setRemoving] = useState<Passkey | null>(null);
  const reload = () => client.invalidateQueries({ queryKey: passkeysQuery.queryKey });
  const passkeys = query.data ?? [];

  return (
    <>
      <p className="text-muted">
        A passkey signs you in without a password: this device, your phone or a security key shows
        that it is you, by a fingerprint, a face or a PIN. Have two, in case one is lost.
      </p>
      {query.error && <p role="alert">{remedyOf(query.error).detail}</p>}
      {passkeys.length > 0 && (
        <ul className="rows" aria-label="Passkeys">
          {passkeys.map((passkey) =>
            renaming === passkey.id ? (
              <li key={passkey.id}>
                <Rename
                  passkey={passkey}
                  onDone={async () => {
                    setRenaming(null);
                    await reload();
                  }}
                />
              </li>
            ) : (
              <PasskeyRow
                key={passkey.id}
                passkey={passkey}
                onRename={() => setRenaming(passkey.id)}
                onRemove={() => setRemoving(passkey)}
              />
            ),
          )}
        </ul>
      )}
      {query.isSuccess && passkeys.length === 0 && <p>You have no passkey yet.</p>}
      <AddPasskey onAdded={reload} />
      {removing && (
        <Remove
          key={removing.id}
          passkey={removing}
          onRemoved={reload}
          onClose={() => setRemoving(null)}
        />
      )}
    </>
  );
}

interface PasskeyRowProps {
  passkey: Passkey;
  onRename: () => void;
  onRemove: () => void;
}

function PasskeyRow({ passkey, onRename, onRemove }: PasskeyRowProps) {
  const now = Date.now();
  const { name, host, created_at, used_at, copied_at } = passkey;
  return (
    <li data-passkey={passkey.id}>
      <KeyRound size={18} aria-hidden="true" className="row-icon" />
      <div className="row-text">
        <p>
          <strong>{name}</strong>
        </p>
        <p className="row-more">
          <span>{host}</span>
          <span title={dateAndTime(created_at)}>made {relative(created_at, now)}</span>
          <span>{used_at === null ? "never used" : `used ${relative(used_at, now)}`}</span>
        </p>
        {copied_at !== null && (
          <p className="notice-line">
            A copy of it was used, so it signs nobody in any more. Remove it, make another one, and
            look through your sign-ins.
          </p>
        )}
      </div>
      <Button small aria-label={`Rename ${name}`} onClick={onRename}>
        Rename
      </Button>
      <Button small aria-label={`Remove ${name}`} onClick={onRemove}>
        Remove
      </Button>
    </li>
  );
}

function AddPasskey({ onAdded }: { onAdded: () => Promise<void> }) {
  const origins = useSignIn(({ state }) => state?.passkey_origins ?? none);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [asksPassword, setAsksPassword] = useState(false);
  const submission = useSubmission(["name", "password"], async () => {
    try {
      await addPasskey(name.trim(), password);
    } catch (error) {
      if (fieldErrors(error, ["password"]).password) setAsksPassword(true);
      throw error;
    }
    setName("");
    setPassword("");
    setAsksPassword(false);
    announce("Passkey added");
    await onAdded();
  });
  const [first] = origins;
  if (first === undefined) {
    return (
      <p className="notice-line">
        Browsers give passkeys only to pages with a name, by https or on localhost. The operator
        names the page in FRONTEND_URL.
      </p>
    );
  }
  if (!origins.includes(window.location.origin)) {
    return (
      <p className="notice-line">
        Passkeys work at <a href={`${first}/account/passkeys`}>{first}</a>. Open this page there to
        add one.
      </p>
    );
  }
  if (!hasPasskeys()) {
    return <p className="notice-line">This browser is too old for passkeys. Update it.</p>;
  }
  return (
    <Form
      label="Add a passkey"
      submission={submission}
      action="Add a passkey"
      busy="Waiting for it…"
    >
      <Field
        label="Name of the passkey"
        name="name"
        autoComplete="off"
        maxLength={200}
        value={name}
        onText={setName}
        hint="So that you know it again: where it is kept, or on which device"
        error={submission.errors.name}
      />
      {asksPassword && (
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

const none: readonly string[] = [];

function Rename({ passkey, onDone }: { passkey: Passkey; onDone: () => Promise<void> }) {
  const [name, setName] = useState(passkey.name);
  const submission = useSubmission(["name"], async () => {
    await renamePasskey(passkey.id, name.trim());
    announce("Renamed");
    await onDone();
  });
  return (
    <Form label={`Rename ${passkey.name}`} submission={submission} action="Save" busy="Saving…">
      <Field
        label="Name"
        name="name"
        autoComplete="off"
        autoFocus
        maxLength={200}
        value={name}
        onText={setName}
        error={submission.errors.name}
      />
    </Form>
  );
}

interface RemoveProps {
  passkey: Passkey;
  onRemoved: () => Promise<void>;
  onClose: () => void;
}

/** Asks once; and once more, in the server's words, when nothing would be left to sign in with. */
function Remove({ passkey, onRemoved, onClose }: RemoveProps) {
  const [isLast, setIsLast] = useState(false);
  return (
    <Confirm
      title={`Remove ${passkey.name}?`}
      action={isLast ? "Remove it all the same" : "Remove"}
      onClose={onClose}
      onConfirm={async () => {
        try {
          await removePasskey(passkey.id, isLast);
        } catch (error) {
          if (error instanceof ProblemError && error.problem.code === "conflict") setIsLast(true);
          throw error;
        }
        announce(`Removed: ${passkey.name}`);
        await onRemoved();
      }}
    >
      <p>
        It signs nobody in any more. Sign-ins made with it go on; end them under Sign-ins. On the
        device itself it stays until you remove it there.
      </p>
    </Confirm>
  );
}
