-- Sign-ins by others (OpenID Connect): whose account an issuer's subject is, sign-ins on their way to a provider and
-- back, and tokens that were presented. Only adds, so the release before runs on.

-- Issuer and subject as the issuer writes them, compared byte by byte.
CREATE TABLE identities (
    id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    issuer TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    -- As the issuer last said; shown, never compared.
    email TEXT,
    created_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    UNIQUE (issuer, subject),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX identities_newest ON identities (tenant_id, user_id, created_at, id);

-- A sign-in on its way, taken once. Of `state` and of the browser's cookie only hashes are kept; what proves the way
-- to the provider (PKCE, nonce) is made of both and kept nowhere. The user is who links; of a sign-in the local owner.
CREATE TABLE sign_in_flows (
    state_hash TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    browser_hash TEXT COLLATE "C" NOT NULL,
    provider TEXT NOT NULL,
    -- The sign-in by which somebody links; none: somebody signs in.
    session_id TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sign_in_flows_ended ON sign_in_flows (expires_at);

-- Tokens of others that are good once, as hashes, until they would end by themselves.
CREATE TABLE presented_tokens (
    token_hash TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX presented_tokens_ended ON presented_tokens (expires_at);
