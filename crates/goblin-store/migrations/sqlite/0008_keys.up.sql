-- Keys: what programs call the API with, what providers are called with (sealed), and what tokens are signed with
-- (sealed). Only adds, so the release before runs on.

-- A key of the API acts for its user, within its scopes. Of the key itself the SHA-256 is kept.
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- The part of the key that names it in public.
    public_id TEXT UNIQUE NOT NULL,
    secret_hash TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Words with commas between them: infer, embed, read.
    scopes TEXT NOT NULL,
    -- JSON lists of texts; null: every model, from anywhere.
    models_json TEXT,
    networks_json TEXT,
    -- What it may spend, in nano-USD (10^-9), in each `day`, each `month` or in all (`total`); null: no bound.
    budget_nano_usd BIGINT,
    budget_period TEXT,
    -- Most requests in any minute, and at once; null: what holds for everybody.
    requests_per_minute BIGINT,
    concurrent BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    -- To about a minute.
    last_used_at BIGINT,
    revoked_at BIGINT,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX api_keys_newest ON api_keys (tenant_id, created_at, id);
CREATE INDEX api_keys_own ON api_keys (tenant_id, user_id, created_at, id);

-- What a provider is called with. `sealed` is the secret under a key of its own, `sealed_key` that one under the master
-- key `master_id`; both are bound to tenant, provider and version, so a row put in another's place does not open.
CREATE TABLE provider_keys (
    tenant_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    version BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    sealed_key BLOB NOT NULL,
    master_id TEXT NOT NULL,
    last_four TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, provider)
);

-- What access tokens are signed with, where no key comes from the environment. `state`: standby, current, previous or
-- revoked.
CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY NOT NULL,
    state TEXT NOT NULL,
    sealed BLOB NOT NULL,
    sealed_key BLOB NOT NULL,
    master_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
