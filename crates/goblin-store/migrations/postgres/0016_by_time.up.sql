-- What a tenant used and was answered, by time: a month's costs are read from the rows of that month, and not from all that
-- were ever written. Only adds, so the release before runs on.

CREATE INDEX usage_by_time ON usage (tenant_id, at);
CREATE INDEX traces_by_time ON traces (tenant_id, created_at);
-- Questions that begin a chat.
CREATE INDEX turns_first ON turns (tenant_id, created_at) WHERE depth = 0;
