-- People as a whole: who has gone, what of them is still to be erased, what only they could be known by; teams; and
-- work that one copy does for all. Only adds, so the release before runs on.

-- Somebody who has gone: from then on nobody signs in as them, and their rows are on the way out. `erased_at`: all of
-- them were, once. The row itself stays, without anything that says who it was: what was used is booked on it.
ALTER TABLE users ADD COLUMN deleted_at BIGINT;
ALTER TABLE users ADD COLUMN erased_at BIGINT;
CREATE INDEX users_deleted ON users (deleted_at) WHERE deleted_at IS NOT NULL;

-- SHA-256 of a row's detail, address and device with a random salt. The row's own hash is over this one, so that the
-- three can be taken out later, with the salt, and the chain still holds. NULL: the row is older than that.
ALTER TABLE audit ADD COLUMN person_hash TEXT;
ALTER TABLE audit ADD COLUMN person_salt TEXT;
-- Where the chain begins when its oldest rows were removed: how many, and the hash of the last of them.
ALTER TABLE tenants ADD COLUMN audit_removed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN audit_removed_hash TEXT NOT NULL DEFAULT '';

-- For removing what is old.
CREATE INDEX usage_oldest ON usage (at);

-- People who belong together. A team owns nothing: chats, traces and usage are always one person's.
CREATE TABLE teams (
    id TEXT PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (tenant_id, name)
);
CREATE TABLE team_members (
    team_id TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- owner, admin, member or viewer, within the team.
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (team_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX team_members_user ON team_members (tenant_id, user_id);

-- Work that one of several copies does for all, and when it is due. No tenant and no user: it is the operator's.
CREATE TABLE chores (
    name TEXT PRIMARY KEY NOT NULL,
    due_at BIGINT NOT NULL
);
