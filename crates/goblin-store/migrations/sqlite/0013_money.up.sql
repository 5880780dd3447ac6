-- What answers cost, and what may be spent. Only adds, so the release before runs on: what that one books has no price.

-- The key of the API a request came with.
ALTER TABLE usage ADD COLUMN key_id TEXT;
-- In nano-USD (10^-9), judges and every model asked on the way included; null: not known, which is not zero.
ALTER TABLE usage ADD COLUMN cost_nano_usd BIGINT;
-- Was a part of it not counted by its model's server?
ALTER TABLE usage ADD COLUMN estimated BOOLEAN NOT NULL DEFAULT FALSE;
-- Of an answer of the operator's machines: what the baseline model would have cost.
ALTER TABLE usage ADD COLUMN would_have_cost_nano_usd BIGINT;
-- What never left the operator's machines has cost nothing.
UPDATE usage SET cost_nano_usd = 0 WHERE local;

-- Requests under way that cost something, as they stood a second ago: what of them is booked when their process is no
-- more. The id is the one their row of `usage` will have.
CREATE TABLE usage_open (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    key_id TEXT,
    request_id TEXT NOT NULL,
    door TEXT NOT NULL,
    turn_id TEXT,
    model TEXT,
    provider TEXT,
    local BOOLEAN,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    cached_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    cost_nano_usd BIGINT,
    process TEXT NOT NULL,
    at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

-- What may be spent: set by owners and admins. `kind`: everybody, user, team, key or model; `subject`: whose, `*` for
-- each, empty for everybody; `period`: day or month; `on_reached`: refuse or local.
CREATE TABLE budgets (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    period TEXT NOT NULL,
    limit_nano_usd BIGINT NOT NULL,
    on_reached TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (tenant_id, kind, subject, period)
);

-- What was spent of each budget in each period that begins at `since`. Whoever reserves locks the row.
CREATE TABLE spending (
    tenant_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    period TEXT NOT NULL,
    since BIGINT NOT NULL,
    spent_nano_usd BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, kind, subject, period, since)
);

-- What is reserved for a request under way, and what of it was spent a second ago.
CREATE TABLE budget_holds (
    usage_id TEXT NOT NULL REFERENCES usage_open (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    period TEXT NOT NULL,
    since BIGINT NOT NULL,
    held_nano_usd BIGINT NOT NULL,
    spent_nano_usd BIGINT NOT NULL,
    PRIMARY KEY (usage_id, kind, subject, period, since)
);
CREATE INDEX budget_holds_scope ON budget_holds (tenant_id, kind, subject, period, since);
