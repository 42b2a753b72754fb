-- The files that indexing found in a job's archive directory. Neither table refers to the job by a foreign key: a job
-- with very many files is deleted at once, and what it leaves behind, which nobody is shown, is swept in small pieces.

CREATE TABLE file_run (
    job         INTEGER NOT NULL, -- the number of the job's row, which no other job is ever given
    run         INTEGER NOT NULL, -- the sequence of the event that began it
    begun_at    INTEGER NOT NULL,
    ended_at    INTEGER,
    total_files INTEGER,          -- what is to be recorded, once that is known
    total_bytes INTEGER,
    files       INTEGER NOT NULL, -- what was recorded
    bytes       INTEGER NOT NULL,
    error       TEXT,
    sources     BLOB    NOT NULL, -- JSON array: the links that files of this run have, by number
    PRIMARY KEY (job, run)
) WITHOUT ROWID;

CREATE TABLE file (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    job         INTEGER NOT NULL,
    run         INTEGER NOT NULL, -- the one that recorded it
    seen        INTEGER NOT NULL, -- the last one that found it in the directory
    path        TEXT    NOT NULL, -- absolute within the archive system
    uuid        TEXT    NOT NULL,
    kind        TEXT    NOT NULL, -- archive or product
    level       TEXT,
    size        INTEGER NOT NULL, -- bytes
    modified_at INTEGER,
    digest      TEXT,             -- SHA-256 in hex
    sources     TEXT    NOT NULL, -- JSON array of numbers
    indexed_at  INTEGER NOT NULL
);
CREATE UNIQUE INDEX file_path ON file (job, path);
CREATE INDEX file_job ON file (job, id);
CREATE INDEX file_by_run ON file (job, run);

CREATE TABLE file_orphan (job INTEGER PRIMARY KEY);

CREATE TRIGGER file_after_job AFTER DELETE ON job WHEN EXISTS (SELECT 1 FROM file_run WHERE job = old.id) BEGIN
    INSERT INTO file_orphan VALUES (old.id);
END;
