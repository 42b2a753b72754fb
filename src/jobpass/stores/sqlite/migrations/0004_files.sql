-- The files that indexing found in a job's archive directory.

CREATE TABLE file (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    job           INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    path          TEXT    NOT NULL, -- absolute within the archive system
    uuid          TEXT    NOT NULL,
    kind          TEXT    NOT NULL, -- archive or product
    level         TEXT    NOT NULL,
    size          INTEGER NOT NULL, -- bytes
    digest        TEXT,             -- SHA-256 in hex
    generated_by  TEXT    NOT NULL, -- JSON arrays of uuids
    derived_from  TEXT    NOT NULL,
    derived_using TEXT    NOT NULL,
    indexed_at    INTEGER NOT NULL
);
CREATE UNIQUE INDEX file_path ON file (job, path);
CREATE INDEX file_job ON file (job, id);
