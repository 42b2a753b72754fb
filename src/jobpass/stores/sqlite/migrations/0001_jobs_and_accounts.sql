-- Jobs with their histories, pipelines, principals and credentials.
-- Times are whole microseconds since the epoch. Numbers are never given twice, so that cursors stay true.

CREATE TABLE job (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid            TEXT    NOT NULL UNIQUE,
    lifecycle       TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    last_event      TEXT    NOT NULL,
    sequence        INTEGER NOT NULL,
    head            BLOB    NOT NULL,
    kid             TEXT    NOT NULL,
    serial          INTEGER NOT NULL, -- 64 bits, signed here
    owner           INTEGER NOT NULL,
    pipeline_uuid   TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    child_of        TEXT    NOT NULL, -- JSON array
    archive_path    TEXT,
    session         TEXT,
    previous_serial INTEGER,
    previous_until  INTEGER,
    previous_kid    TEXT
);
CREATE INDEX job_owner ON job (owner);
CREATE INDEX job_owner_state ON job (owner, state);
CREATE INDEX job_state ON job (state);
CREATE INDEX job_pipeline ON job (pipeline_uuid);

-- Appended in order of arrival, not clustered by job: a group of events fills few pages instead of one each.
CREATE TABLE event (
    id         INTEGER PRIMARY KEY,
    job        INTEGER NOT NULL REFERENCES job (id),
    sequence   INTEGER NOT NULL,
    uuid       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    data       BLOB    NOT NULL,
    at         INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    credential TEXT    NOT NULL,
    key        TEXT,
    kid        TEXT    NOT NULL,
    link       BLOB    NOT NULL
);
CREATE UNIQUE INDEX event_sequence ON event (job, sequence);
CREATE UNIQUE INDEX event_key ON event (job, key) WHERE key IS NOT NULL;

CREATE TABLE pipeline (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid       TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    owner      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE principal (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    email         TEXT    NOT NULL UNIQUE,
    role          TEXT    NOT NULL,
    active        INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    password_hash TEXT    NOT NULL
);

CREATE TABLE credential (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    kind         TEXT    NOT NULL,
    owner        INTEGER NOT NULL REFERENCES principal (id),
    label        TEXT    NOT NULL,
    issued_at    INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    parent       TEXT,
    last_used_at INTEGER,
    uses         INTEGER NOT NULL,
    kid          TEXT    NOT NULL
);
CREATE INDEX credential_owner ON credential (owner);
