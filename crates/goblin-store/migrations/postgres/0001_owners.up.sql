-- Tenants and users. Every later table carries both.
-- Ids are text compared byte by byte, as SQLite does, whatever the database's own order of letters is.

-- One row: the lowest newest-migration a release must know to work on this schema. A migration that only adds
-- leaves it alone, so the release before runs on; one that takes something away raises it.
CREATE TABLE schema_floor (
    lowest_known BIGINT NOT NULL
);
INSERT INTO schema_floor (lowest_known) VALUES (1);

CREATE TABLE tenants (
    id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    id TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL REFERENCES tenants (id),
    name TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- The owner of local mode. The first account takes this row over, and with it everything made before.
INSERT INTO tenants (id, name, created_at) VALUES ('local', 'This machine', 0);
INSERT INTO users (id, tenant_id, name, created_at) VALUES ('local-owner', 'local', NULL, 0);
