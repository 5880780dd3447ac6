-- What was used, one row for each request. Only ever added to; outlives the chats it came from.

CREATE TABLE usage (
    id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    door TEXT NOT NULL,
    turn_id TEXT COLLATE "C",
    model TEXT,
    provider TEXT,
    local BOOLEAN,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    cached_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX usage_newest ON usage (tenant_id, user_id, at, id);
