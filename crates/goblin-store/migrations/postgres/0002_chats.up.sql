-- Chats, and their turns as a tree.

CREATE TABLE chats (
    id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    title TEXT,
    model TEXT,
    system_prompt TEXT,
    parameters_json TEXT NOT NULL,
    folder TEXT,
    -- A turn of this chat. Not a foreign key: turns already point here, and a circle could not be deleted.
    head TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX chats_newest ON chats (tenant_id, user_id, updated_at, id);
CREATE INDEX chats_deleted ON chats (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE turns (
    id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    chat_id TEXT COLLATE "C" NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    -- No cascade, as in SQLite. All turns of a chat go in one statement.
    parent TEXT COLLATE "C" REFERENCES turns (id),
    -- Number of turns above this one: 0 for a first turn.
    depth BIGINT NOT NULL,
    content_text TEXT NOT NULL,
    answer TEXT NOT NULL,
    reasoning TEXT,
    status TEXT NOT NULL,
    finish_reason TEXT,
    model TEXT,
    local BOOLEAN,
    error_json TEXT,
    prompt_tokens BIGINT,
    completion_tokens BIGINT,
    cached_tokens BIGINT,
    left_out BIGINT NOT NULL,
    first_token_ms BIGINT,
    total_ms BIGINT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX turns_siblings ON turns (chat_id, parent, created_at, id);
CREATE INDEX turns_children ON turns (parent);
CREATE INDEX turns_open ON turns (status) WHERE status = 'streaming';
