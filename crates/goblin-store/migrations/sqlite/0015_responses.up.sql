-- Responses that their caller asked to keep (`store` at /v1/responses), so that another one can go on from them. Only adds,
-- so the release before runs on.

CREATE TABLE responses (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- The response it goes on from. No foreign key: that one may go earlier.
    previous TEXT,
    -- The items of its own input, and the response as it was given.
    input_json TEXT NOT NULL,
    response_json TEXT NOT NULL,
    -- How long both are together.
    bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX responses_newest ON responses (tenant_id, user_id, created_at, id);
CREATE INDEX responses_over ON responses (expires_at);
