-- What admins set about providers while goblin runs. Only adds, so the release before runs on.

-- Where a key is sent, when that is not where the configuration says. It stands beside the key because a key goes to the
-- address it was given for and nowhere else.
ALTER TABLE provider_keys ADD COLUMN base_url TEXT;

-- A provider without a row is on and shows all of its models.
CREATE TABLE provider_settings (
    tenant_id TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    enabled BOOLEAN NOT NULL,
    -- JSON list of texts: the models that are offered; null: all.
    models_json TEXT,
    updated_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, provider)
);
