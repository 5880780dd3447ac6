-- Accounts: who signs in, how, since when, from where; the links that let people in; and what was done. The first
-- account takes over the row of local mode's owner. Only adds, so the release before runs on.

-- A user without an e-mail address has no account: nobody signs in as them.
-- `email` is the form that is compared, and unique; `email_typed` is the one that is shown and written to.
ALTER TABLE users ADD COLUMN email TEXT;
ALTER TABLE users ADD COLUMN email_typed TEXT;
ALTER TABLE users ADD COLUMN email_verified_at BIGINT;
-- argon2id, as PHC text.
ALTER TABLE users ADD COLUMN password_hash TEXT;
ALTER TABLE users ADD COLUMN password_changed_at BIGINT;
-- owner, admin, member or viewer.
ALTER TABLE users ADD COLUMN role TEXT;
ALTER TABLE users ADD COLUMN disabled_at BIGINT;
CREATE UNIQUE INDEX users_email ON users (email);

-- The end of the chain of audit events: how many there are, and the hash of the newest.
ALTER TABLE tenants ADD COLUMN audit_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN audit_hash TEXT NOT NULL DEFAULT '';

-- A sign-in, until it ends. Of a browser (`browser`) the cookie's SHA-256 is kept, of another program (`tokens`) the
-- row is what all its tokens belong to.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    secret_hash TEXT UNIQUE,
    signed_in_by TEXT NOT NULL,
    address TEXT,
    device TEXT,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    -- Ends when unused until then, and in any case.
    idle_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX sessions_newest ON sessions (tenant_id, user_id, seen_at, id);
CREATE INDEX sessions_ended ON sessions (expires_at);

-- Each good for one exchange; presented again, all of its session's tokens end.
CREATE TABLE refresh_tokens (
    secret_hash TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

-- Links good for one use: the first account's (`setup`), an invitation, another password (`reset`). The user is whose
-- account it is about, of an invitation who invites.
CREATE TABLE links (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    secret_hash TEXT UNIQUE NOT NULL,
    -- Of an invitation: for whom, when that was said, and as what.
    email TEXT,
    role TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    revoked_at BIGINT,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX links_newest ON links (tenant_id, kind, created_at, id);

-- What was done to accounts, by whom, from where. Only ever added to; each row holds the hash of the row before and of
-- its own content, so that a row changed or taken out later shows.
CREATE TABLE audit (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    -- Who did it, or whom it was about when nobody was signed in.
    user_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    action TEXT NOT NULL,
    target TEXT,
    detail TEXT,
    address TEXT,
    device TEXT,
    at BIGINT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (tenant_id, position)
);
