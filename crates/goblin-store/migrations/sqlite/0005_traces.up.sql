-- Why answers came from where they came from. No text of a conversation is in here, so a trace outlives its chat,
-- until it is too old.

CREATE TABLE traces (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    turn_id TEXT,
    -- The model asked for, and who answered.
    model TEXT NOT NULL,
    answered_by TEXT,
    outcome TEXT NOT NULL,
    left_machine BOOLEAN NOT NULL,
    -- In billionths of a US dollar; NULL when a model without a price was asked.
    cost_nano_usd BIGINT,
    summary_json TEXT NOT NULL,
    trace_json TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX traces_newest ON traces (tenant_id, user_id, created_at, id);
CREATE INDEX traces_turn ON traces (turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX traces_oldest ON traces (created_at);

-- What readers said of answers. A comment is text of a person, so a label goes with its turn.

CREATE TABLE labels (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    turn_id TEXT NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    trace_id TEXT,
    rating TEXT,
    -- Other answers to the same question. No foreign keys: they go with the same chat.
    better_turn TEXT,
    second_opinion TEXT,
    comment_text TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    UNIQUE (turn_id, tenant_id, user_id)
);
CREATE INDEX labels_better ON labels (better_turn) WHERE better_turn IS NOT NULL;
