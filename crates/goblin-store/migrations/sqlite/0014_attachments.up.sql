-- Files people attach to questions. Only adds, so the release before runs on: it shows questions without them.

CREATE TABLE attachments (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- image or text
    kind TEXT NOT NULL,
    media_type TEXT NOT NULL,
    byte_count BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- The last column: what stands before it is read without it.
    content BLOB NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX attachments_own ON attachments (tenant_id, user_id, byte_count);
CREATE INDEX attachments_made ON attachments (created_at);

-- Which questions have which files. A question that is edited or asked again shares those of the one before.
CREATE TABLE turn_attachments (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    turn_id TEXT NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    attachment_id TEXT NOT NULL REFERENCES attachments (id) ON DELETE CASCADE,
    -- 0 for the first file of the question.
    position BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE UNIQUE INDEX turn_attachments_of_turn ON turn_attachments (turn_id, attachment_id);
CREATE INDEX turn_attachments_of_file ON turn_attachments (attachment_id);
CREATE INDEX turn_attachments_own ON turn_attachments (tenant_id, user_id, id);
