-- Everything. Times are whole microseconds since the epoch; texts lie as Jobpass packs them (see codecs.py), and are
-- compared by their bytes. The tables lie in the schema that the connection's search path begins with.

-- The last number given for each kind of row: taken with the row's lock, so that numbers are given in the order of
-- commits, never twice and without gaps, and cursors stay true. "epoch" counts what ends sessions.
CREATE TABLE counter (
    name  text   COLLATE "C" PRIMARY KEY,
    value bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO counter (name, value)
SELECT name, 0 FROM unnest(ARRAY['admin_key', 'audit', 'credential', 'delivery', 'epoch', 'file', 'job', 'pipeline',
                                 'principal', 'webhook']) AS name;

-- One row for each connection that writes: a number that grows with each of its groups and openings, the number of the
-- last group that stands, and which of its jobs another node had moved.
CREATE TABLE lane (
    id      text     COLLATE "C" PRIMARY KEY,
    number  bigint   NOT NULL,
    written bigint   NOT NULL,
    missed  bigint[] NOT NULL,
    seen_at bigint   NOT NULL  -- by the database's clock
) WITH (fillfactor = 10);

CREATE TABLE job (
    id              bigint PRIMARY KEY,
    version         bigint NOT NULL, -- grows with each change of the row
    uuid            text   COLLATE "C" NOT NULL UNIQUE,
    lifecycle       text   NOT NULL,
    state           text   COLLATE "C" NOT NULL,
    last_event      text   NOT NULL,
    sequence        bigint NOT NULL,
    head            bytea  NOT NULL,
    kid             text   NOT NULL,
    serial          bigint NOT NULL, -- 64 bits, signed here
    owner           bigint NOT NULL,
    pipeline_uuid   text   COLLATE "C" NOT NULL,
    created_at      bigint NOT NULL,
    updated_at      bigint NOT NULL,
    child_of        text   NOT NULL, -- JSON array
    archive_path    text   COLLATE "C",
    session         text,
    previous_serial bigint,
    previous_until  bigint,
    previous_kid    text,
    archive_system  text   COLLATE "C"
) WITH (fillfactor = 50); -- so that an event that keeps the state changes its row within the page and touches no index
CREATE INDEX job_owner ON job (owner, id);
CREATE INDEX job_state ON job (state, id);
CREATE INDEX job_pipeline ON job (pipeline_uuid, id);
-- A path may be longer than an entry of an index.
CREATE INDEX job_archive ON job (archive_system, left(archive_path, 500)) WHERE archive_system IS NOT NULL;

CREATE TABLE job_detail (
    job              bigint PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    generated_by     text   NOT NULL, -- JSON arrays
    acted_on         text   NOT NULL,
    acted_using      text   NOT NULL,
    archive_patterns bytea  NOT NULL,
    product_patterns bytea  NOT NULL,
    attributes       bytea  NOT NULL  -- JSON object
);

CREATE TABLE job_link (
    job      bigint NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    relation text   COLLATE "C" NOT NULL,
    target   text   COLLATE "C" NOT NULL,
    PRIMARY KEY (target, relation, job)
);
CREATE INDEX job_link_job ON job_link (job);

-- A job's history lies in one partition; it refers to the job by no foreign key, which would be looked at for each
-- event: whoever deletes a job deletes its history in the same transaction.
CREATE TABLE event (
    job        bigint NOT NULL,
    sequence   bigint NOT NULL,
    uuid       text   NOT NULL,
    name       text   NOT NULL,
    data       bytea  NOT NULL, -- JSON as it came
    at         bigint NOT NULL,
    state      text   NOT NULL,
    credential text   NOT NULL,
    key        text   COLLATE "C",
    kid        text   NOT NULL,
    link       bytea  NOT NULL,
    PRIMARY KEY (job, sequence)
) PARTITION BY HASH (job);
CREATE UNIQUE INDEX event_key ON event (job, key) WHERE key IS NOT NULL;
CREATE TABLE event_0 PARTITION OF event FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE event_1 PARTITION OF event FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE event_2 PARTITION OF event FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE event_3 PARTITION OF event FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE event_4 PARTITION OF event FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE event_5 PARTITION OF event FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE event_6 PARTITION OF event FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE event_7 PARTITION OF event FOR VALUES WITH (MODULUS 8, REMAINDER 7);

CREATE TABLE pipeline (
    id         bigint PRIMARY KEY,
    uuid       text   COLLATE "C" NOT NULL UNIQUE,
    name       text   NOT NULL,
    body       bytea  NOT NULL,
    owner      bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);

CREATE TABLE principal (
    id            bigint  PRIMARY KEY,
    email         text    COLLATE "C" NOT NULL UNIQUE,
    role          text    NOT NULL,
    active        boolean NOT NULL,
    created_at    bigint  NOT NULL,
    password_hash text    NOT NULL
);

CREATE TABLE credential (
    number       bigint PRIMARY KEY,
    id           text   COLLATE "C" NOT NULL UNIQUE,
    kind         text   NOT NULL,
    owner        bigint NOT NULL REFERENCES principal (id),
    label        text   NOT NULL,
    issued_at    bigint NOT NULL,
    expires_at   bigint,
    revoked_at   bigint,
    parent       text   COLLATE "C",
    last_used_at bigint,
    uses         bigint NOT NULL,
    kid          text   NOT NULL
) WITH (fillfactor = 70); -- uses are counted in place
CREATE INDEX credential_owner ON credential (owner, number);

-- Requests for administrative power, and the audit chains.
CREATE TABLE admin_key (
    number           bigint PRIMARY KEY,
    id               text   COLLATE "C" NOT NULL UNIQUE,
    state            text   NOT NULL,
    requester        bigint NOT NULL REFERENCES principal (id),
    use_case         text   NOT NULL,
    storage          text   NOT NULL,
    lifetime_seconds bigint NOT NULL,
    scope            bytea  NOT NULL, -- JSON object
    request_hash     text   NOT NULL,
    requested_at     bigint NOT NULL,
    reviewer         bigint,
    reviewed_at      bigint,
    reason           text,
    collected_at     bigint,
    revoked_at       bigint
);
CREATE INDEX admin_key_requester ON admin_key (requester, number);

CREATE TABLE audit (
    id         bigint PRIMARY KEY,
    node       text   COLLATE "C" NOT NULL,
    sequence   bigint NOT NULL,
    at         bigint NOT NULL,
    name       text   COLLATE "C" NOT NULL,
    principal  bigint,
    credential text,
    address    text,
    subject    text,
    data       bytea  NOT NULL, -- JSON object
    kid        text   NOT NULL,
    link       bytea  NOT NULL
);
CREATE UNIQUE INDEX audit_sequence ON audit (node, sequence);
CREATE INDEX audit_name ON audit (name, id);
CREATE INDEX audit_principal ON audit (principal, id) WHERE principal IS NOT NULL;
CREATE INDEX audit_at ON audit (at);

-- The files that indexing found. Neither table refers to the job: a job with very many files is deleted at once, and
-- what it leaves behind, which nobody is shown, is swept in small pieces.
CREATE TABLE file_run (
    job         bigint NOT NULL, -- the number of the job's row, which no other job is ever given
    run         bigint NOT NULL, -- the sequence of the event that began it
    begun_at    bigint NOT NULL,
    ended_at    bigint,
    total_files bigint,          -- what is to be recorded, once that is known
    total_bytes bigint,
    files       bigint NOT NULL, -- what was recorded
    bytes       bigint NOT NULL,
    error       text,
    sources     bytea  NOT NULL, -- JSON array: the links that files of this run have, by number
    PRIMARY KEY (job, run)
);

CREATE TABLE file (
    id          bigint PRIMARY KEY,
    job         bigint NOT NULL,
    run         bigint NOT NULL, -- the one that recorded it
    seen        bigint NOT NULL, -- the last one that found it in the directory
    path        text   NOT NULL, -- absolute within the archive system
    place       bytea  NOT NULL, -- SHA-256 of the path, which may be longer than an entry of an index
    uuid        text   NOT NULL,
    kind        text   NOT NULL, -- archive or product
    level       text,
    size        bigint NOT NULL, -- bytes
    modified_at bigint,
    digest      text,            -- SHA-256 in hex
    sources     text   NOT NULL, -- JSON array of numbers
    indexed_at  bigint NOT NULL
);
CREATE UNIQUE INDEX file_place ON file (job, place);
CREATE INDEX file_job ON file (job, id);
CREATE INDEX file_by_run ON file (job, run);

CREATE TABLE file_orphan (job bigint PRIMARY KEY);

-- Who wants to be told of events, and what is still to be told. A secret follows from the root key and is not stored.
CREATE TABLE webhook (
    number         bigint PRIMARY KEY,
    id             text   COLLATE "C" NOT NULL UNIQUE,
    owner          bigint NOT NULL REFERENCES principal (id),
    url            text   NOT NULL,
    job_uuid       text   COLLATE "C",
    pipeline_uuid  text   COLLATE "C",
    events         text   NOT NULL, -- JSON array of names; empty: all
    kid            text   NOT NULL,
    secret_number  bigint NOT NULL, -- grows by one with each rotation
    created_at     bigint NOT NULL,
    previous_kid   text,
    previous_until bigint,          -- until when the secret before signs too
    failing_since  bigint,
    disabled_at    bigint,
    reason         text,
    since          bigint NOT NULL  -- news up to this number were there when it began to listen
);
CREATE INDEX webhook_owner ON webhook (owner);
CREATE INDEX webhook_job ON webhook (job_uuid) WHERE disabled_at IS NULL AND job_uuid IS NOT NULL;
CREATE INDEX webhook_pipeline ON webhook (pipeline_uuid) WHERE disabled_at IS NULL AND pipeline_uuid IS NOT NULL;

-- Events that somebody listened to when they were written, until they are looked at. The numbers of one job's events
-- grow with its history, since each is given after the one before it was committed.
CREATE TABLE news (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job      bigint NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    sequence bigint NOT NULL
);
CREATE INDEX news_job ON news (job);

-- What is sent stands in the history; a job that is deleted takes what was not sent with it.
CREATE TABLE delivery (
    id         bigint PRIMARY KEY,
    webhook    text   COLLATE "C" NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    job        bigint REFERENCES job (id) ON DELETE CASCADE, -- NULL: a ping
    line       bigint NOT NULL, -- the job again, 0 for a ping: what waits of one webhook and line goes in order
    sequence   bigint NOT NULL, -- the event's; 0 for a ping
    message    text   NOT NULL, -- what the receiver knows it by
    made_at    bigint NOT NULL,
    attempts   bigint NOT NULL,
    next_at    bigint,          -- of the first that waits of its webhook and line only: when it may be sent
    dead_at    bigint,
    last_error text
);
CREATE UNIQUE INDEX delivery_event ON delivery (webhook, job, sequence);
CREATE INDEX delivery_waiting ON delivery (webhook, line, sequence, id) WHERE dead_at IS NULL;
CREATE INDEX delivery_due ON delivery (webhook, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX delivery_dead ON delivery (webhook, id) WHERE dead_at IS NOT NULL;
CREATE INDEX delivery_died ON delivery (dead_at) WHERE dead_at IS NOT NULL;
CREATE INDEX delivery_job ON delivery (job);

-- What came from a seed system beside the jobs themselves; no answer ever shows it.
CREATE TABLE legacy_token (
    job    bigint PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    serial bigint NOT NULL, -- the job's own at the import, and its root key: another one ends the old token, too
    kid    text   NOT NULL,
    salt   text   NOT NULL,
    fields text   NOT NULL, -- the text that the old algorithm hashed after the salt
    until  bigint NOT NULL
);
CREATE INDEX legacy_token_until ON legacy_token (until);

-- How far an import came that has not ended; written together with what it brought.
CREATE TABLE import_progress (
    source    text   COLLATE "C" PRIMARY KEY, -- the file's name
    documents bigint NOT NULL, -- how many of its first documents are done
    digest    bytea  NOT NULL, -- SHA-256 of these documents: a file that begins otherwise is another one
    counts    bytea  NOT NULL  -- JSON object
);
