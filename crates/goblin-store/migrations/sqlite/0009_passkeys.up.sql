-- Passkeys (WebAuthn): keys by which somebody signs in without a password, and the ceremonies under way by which they are
-- made and used. Only adds, so the release before runs on.

CREATE TABLE passkeys (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- The credential's id, as base64url: what a sign-in names.
    credential_id TEXT UNIQUE NOT NULL,
    -- What the authenticator knows the account by: a random UUID, the same for all passkeys of an account.
    user_handle TEXT NOT NULL,
    -- The host the authenticator has bound it to (the relying party's id).
    host TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Public key, counter and flags.
    credential_json TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT,
    -- When its counter went back, so that two must have it. It signs nobody in any more.
    copied_at BIGINT,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX passkeys_newest ON passkeys (tenant_id, user_id, created_at, id);

-- A ceremony under way, taken once. The user is who makes a passkey; of a sign-in the local owner.
CREATE TABLE passkey_ceremonies (
    secret_hash TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- The sign-in by which somebody makes a passkey; none: somebody signs in.
    session_id TEXT,
    -- Of a passkey to be made: what the authenticator is to know the account by.
    user_handle TEXT,
    -- The challenge, and what else the answer is held against.
    state_json TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX passkey_ceremonies_ended ON passkey_ceremonies (expires_at);
