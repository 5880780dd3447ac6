-- Which processes work on this database, and which of them answers a turn: so that a copy that starts does not end
-- the turns of another one that runs. No tenant and no user: a process belongs to the operator.

CREATE TABLE processes (
    id TEXT PRIMARY KEY NOT NULL,
    seen_at BIGINT NOT NULL
);

-- The process that answers; NULL once it has finished.
ALTER TABLE turns ADD COLUMN process TEXT;
