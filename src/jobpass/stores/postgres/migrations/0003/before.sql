-- Jobs that wait in a queue for a worker, and the large texts beside them.

ALTER TABLE job ADD COLUMN work bytea; -- MessagePack of records.Work; NULL for a job that no worker takes

-- Of that, and of its job, what the queue and the lists look for. Renewing a lease touches one index.
CREATE TABLE work (
    job          bigint PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    owner        bigint NOT NULL,
    platform     text   COLLATE "C" NOT NULL,
    priority     bigint NOT NULL,
    created_at   bigint NOT NULL,
    token        bigint, -- the number of the credential that it was submitted with
    job_group    text   COLLATE "C",
    process_id   text   COLLATE "C",
    payload      bigint NOT NULL, -- numbers of blobs
    results      bigint,
    state        text   COLLATE "C" NOT NULL,
    seconds      bigint NOT NULL, -- that a worker had it
    leased_until bigint
) WITH (fillfactor = 70);
CREATE INDEX work_waiting ON work (platform, priority DESC, job, owner) WHERE state = 'waiting';
CREATE INDEX work_line ON work (platform, owner, priority DESC, job) WHERE state = 'waiting';
CREATE INDEX work_leased ON work (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX work_owner ON work (owner, job);
CREATE INDEX work_owner_state ON work (owner, state, job);
CREATE INDEX work_group ON work (job_group, owner, job) WHERE job_group IS NOT NULL;
CREATE INDEX work_process ON work (process_id, job) WHERE process_id IS NOT NULL;
CREATE INDEX work_token ON work (token, platform, created_at, seconds) WHERE token IS NOT NULL;

CREATE TABLE blob (
    number  bigint PRIMARY KEY, -- drawn at random
    made_at bigint NOT NULL,
    uses    bigint NOT NULL DEFAULT 0 -- how many works name it
);
CREATE INDEX blob_unused ON blob (made_at) WHERE uses = 0;
CREATE TABLE blob_chunk (
    blob  bigint NOT NULL REFERENCES blob (number),
    place bigint NOT NULL,
    chunk bytea  NOT NULL,
    PRIMARY KEY (blob, place)
);

-- Whoever gives waiting jobs to workers holds this, on whichever node: so the order is one, and nobody gets more than
-- he may have.
INSERT INTO counter (name, value) VALUES ('lease', 0);
