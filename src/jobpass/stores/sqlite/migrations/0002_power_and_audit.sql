-- Requests for administrative power, and the audit chains.

CREATE TABLE admin_key (
    number           INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT    NOT NULL UNIQUE,
    state            TEXT    NOT NULL,
    requester        INTEGER NOT NULL REFERENCES principal (id),
    use_case         TEXT    NOT NULL,
    storage          TEXT    NOT NULL,
    lifetime_seconds INTEGER NOT NULL,
    scope            BLOB    NOT NULL, -- JSON object
    request_hash     TEXT    NOT NULL,
    requested_at     INTEGER NOT NULL,
    reviewer         INTEGER,
    reviewed_at      INTEGER,
    reason           TEXT,
    collected_at     INTEGER,
    revoked_at       INTEGER
);
CREATE INDEX admin_key_requester ON admin_key (requester);

-- Nothing is ever taken away here, so that the number of a row is the order of writing without further care.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    node       TEXT    NOT NULL,
    sequence   INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    principal  INTEGER,
    credential TEXT,
    address    TEXT,
    subject    TEXT,
    data       BLOB    NOT NULL, -- JSON object
    kid        TEXT    NOT NULL,
    link       BLOB    NOT NULL
);
CREATE UNIQUE INDEX audit_sequence ON audit (node, sequence);
CREATE INDEX audit_name ON audit (name);
CREATE INDEX audit_principal ON audit (principal) WHERE principal IS NOT NULL;
CREATE INDEX audit_at ON audit (at);
