-- Identities at a provider that belongs to the operator, whose account here is gone: they are to be removed there as well.
-- Rows leave when that is done. No tenant and no user: whose they were is not known here any more.
CREATE TABLE leaving_elsewhere (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
