import { KeyRound } from "lucide-react";
import type { ApiKey } from "@/api/types";
import { boundsOf, keyState } from "@/lib/keys";
import { dateAndTime, relative } from "@/lib/people";
import { Button } from "./Button";

interface KeyRowProps {
  apiKey: ApiKey;
  /** Whose it is, where that is not plain. */
  whose?: string;
  onRevoke: () => void;
}

/** A key of the API in a list; never the key itself. */
export function KeyRow({ apiKey, whose, onRevoke }: KeyRowProps) {
  const now = Date.now();
  const state = keyState(apiKey, now);
  return (
    <li data-key={apiKey.id}>
      <KeyRound size={18} aria-hidden="true" className="row-icon" />
      <div className="row-text">
        <p>
          <strong>{apiKey.name}</strong>
          {state !== "good" && <span className="state-mark ml-2">{state}</span>}
        </p>
        <p className="row-more">
          <span>
            <code>gbl_live_{apiKey.public_id}…</code>
          </span>
          {whose !== undefined && <span>of {whose}</span>}
          {boundsOf(apiKey).map((bound) => (
            <span key={bound}>{bound}</span>
          ))}
          <span>
            {apiKey.last_used_at === null
              ? "never used"
              : `used ${relative(apiKey.last_used_at, now)}`}
          </span>
          {state === "good" && apiKey.expires_at !== null && (
            <span title={dateAndTime(apiKey.expires_at)}>
              ends {relative(apiKey.expires_at, now)}
            </span>
          )}
        </p>
      </div>
      {state === "good" && (
        <Button small aria-label={`Revoke the key ${apiKey.name}`} onClick={onRevoke}>
          Revoke
        </Button>
      )}
    </li>
  );
}
