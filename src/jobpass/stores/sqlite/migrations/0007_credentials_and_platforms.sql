-- Tokens with limits, labels, a line of descent and an end that says why; people with a profile; platforms.

ALTER TABLE event ADD COLUMN address TEXT; -- where it came from; no part of the chain

ALTER TABLE principal ADD COLUMN profile BLOB NOT NULL DEFAULT x'7b7d'; -- JSON object: names, priority, limits

ALTER TABLE credential ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credential ADD COLUMN issuer   TEXT; -- the credential with which it was asked for
ALTER TABLE credential ADD COLUMN ended_by TEXT; -- why it was revoked, where that is known
ALTER TABLE credential ADD COLUMN terms    BLOB NOT NULL DEFAULT x'7b7d'; -- JSON object: platforms, actions, ...
CREATE INDEX credential_parent ON credential (parent) WHERE parent IS NOT NULL;
CREATE INDEX credential_issuer ON credential (issuer) WHERE issuer IS NOT NULL;
CREATE UNIQUE INDEX credential_label ON credential (owner, kind, label)
    WHERE kind IN ('job', 'apikey') AND ended_by IS NOT 'deleted';
-- Lists skip to a place in them: what decides whether a credential is shown lies in the index.
CREATE INDEX credential_kind ON credential (kind, number, expires_at, revoked_at) WHERE ended_by IS NOT 'deleted';
CREATE INDEX credential_owned ON credential (owner, kind, number, expires_at, revoked_at)
    WHERE ended_by IS NOT 'deleted';

CREATE TABLE platform (
    number               INTEGER PRIMARY KEY AUTOINCREMENT,
    id                   TEXT    NOT NULL UNIQUE,
    name                 TEXT    NOT NULL UNIQUE,
    description          TEXT    NOT NULL,
    type                 TEXT    NOT NULL,
    status               TEXT    NOT NULL,
    created_at           INTEGER NOT NULL,
    max_shots            INTEGER,
    max_duration_seconds INTEGER,
    constraints          BLOB    NOT NULL, -- JSON objects: the operator's words, and the workers' last
    specs                BLOB    NOT NULL,
    perfs                BLOB    NOT NULL,
    maintenance_start_at INTEGER,
    maintenance_end_at   INTEGER,
    seen_at              INTEGER,
    retired_at           INTEGER
);
