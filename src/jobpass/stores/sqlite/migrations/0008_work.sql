-- Jobs that wait in a queue for a worker, and the large texts beside them.

ALTER TABLE job ADD COLUMN work BLOB; -- MessagePack of records.Work; NULL for a job that no worker takes

-- Of that, and of its job, what the queue and the lists look for. Renewing a lease touches one index.
CREATE TABLE work (
    job          INTEGER PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    owner        INTEGER NOT NULL,
    platform     TEXT    NOT NULL,
    priority     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    token        INTEGER, -- the credential that it was submitted with
    job_group    TEXT,
    process_id   TEXT,
    payload      INTEGER NOT NULL, -- numbers of blobs
    results      INTEGER,
    state        TEXT    NOT NULL,
    seconds      INTEGER NOT NULL, -- that a worker had it
    leased_until INTEGER
);
CREATE INDEX work_waiting ON work (platform, priority DESC, job, owner) WHERE state = 'waiting';
CREATE INDEX work_line ON work (platform, owner, priority DESC, job) WHERE state = 'waiting';
CREATE INDEX work_leased ON work (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX work_owner ON work (owner);
CREATE INDEX work_owner_state ON work (owner, state);
CREATE INDEX work_state ON work (state);
CREATE INDEX work_platform ON work (platform);
CREATE INDEX work_group ON work (job_group, owner) WHERE job_group IS NOT NULL;
CREATE INDEX work_process ON work (process_id) WHERE process_id IS NOT NULL;
CREATE INDEX work_token ON work (token, platform, created_at, seconds) WHERE token IS NOT NULL;
CREATE INDEX work_payload ON work (payload);
CREATE INDEX work_results ON work (results) WHERE results IS NOT NULL;

CREATE TABLE blob (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    made_at INTEGER NOT NULL,
    loose   INTEGER NOT NULL DEFAULT 1 -- whether perhaps no work names it
);
CREATE INDEX blob_loose ON blob (made_at) WHERE loose;
CREATE TABLE blob_chunk (
    id    INTEGER PRIMARY KEY,
    blob  INTEGER NOT NULL REFERENCES blob (number),
    place INTEGER NOT NULL,
    chunk BLOB    NOT NULL
);
CREATE UNIQUE INDEX blob_chunk_place ON blob_chunk (blob, place);

CREATE TRIGGER blob_after_work AFTER DELETE ON work BEGIN
    UPDATE blob SET loose = 1 WHERE number IN (OLD.payload, OLD.results);
END;
