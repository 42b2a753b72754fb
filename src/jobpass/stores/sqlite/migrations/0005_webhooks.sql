-- Who wants to be told of events, and what is still to be told. A secret follows from the root key and is not stored.

CREATE TABLE webhook (
    number         INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT    NOT NULL UNIQUE,
    owner          INTEGER NOT NULL REFERENCES principal (id),
    url            TEXT    NOT NULL,
    job_uuid       TEXT,
    pipeline_uuid  TEXT,
    events         TEXT    NOT NULL, -- JSON array of names; empty: all
    kid            TEXT    NOT NULL,
    secret_number  INTEGER NOT NULL, -- grows by one with each rotation
    created_at     INTEGER NOT NULL,
    previous_kid   TEXT,
    previous_until INTEGER,          -- until when the secret before signs too
    failing_since  INTEGER,
    disabled_at    INTEGER,
    reason         TEXT,
    since          INTEGER NOT NULL  -- events up to this number were there when it began to listen
);
CREATE INDEX webhook_owner ON webhook (owner);
CREATE INDEX webhook_job ON webhook (job_uuid) WHERE disabled_at IS NULL AND job_uuid IS NOT NULL;
CREATE INDEX webhook_pipeline ON webhook (pipeline_uuid) WHERE disabled_at IS NULL AND pipeline_uuid IS NOT NULL;

-- What is sent stands in the history; a job that is deleted takes what was not sent with it.
CREATE TABLE delivery (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook    TEXT    NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    job        INTEGER REFERENCES job (id) ON DELETE CASCADE, -- NULL: a ping
    sequence   INTEGER NOT NULL, -- the event's; 0 for a ping
    message    TEXT    NOT NULL, -- what the receiver knows it by
    made_at    INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    next_at    INTEGER,          -- of the first that waits of its webhook and job only: when it may be sent
    dead_at    INTEGER,
    last_error TEXT
);
CREATE UNIQUE INDEX delivery_event ON delivery (webhook, job, sequence);
CREATE INDEX delivery_waiting ON delivery (webhook, job, sequence) WHERE dead_at IS NULL;
CREATE INDEX delivery_due ON delivery (webhook, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX delivery_dead ON delivery (webhook, id) WHERE dead_at IS NOT NULL;
CREATE INDEX delivery_died ON delivery (dead_at) WHERE dead_at IS NOT NULL;
CREATE INDEX delivery_job ON delivery (job);

-- How far the events of the whole store were looked at.
CREATE TABLE feed (
    name     TEXT    PRIMARY KEY,
    position INTEGER NOT NULL
);
INSERT INTO feed SELECT 'webhooks', coalesce(max(id), 0) FROM event;

-- A job that is deleted may set free the highest numbers of events, which are then given to others.
CREATE TRIGGER feed_after_job AFTER DELETE ON job BEGIN
    UPDATE feed SET position = (SELECT coalesce(max(id), 0) FROM event)
     WHERE position > (SELECT coalesce(max(id), 0) FROM event);
    UPDATE webhook SET since = (SELECT coalesce(max(id), 0) FROM event)
     WHERE since > (SELECT coalesce(max(id), 0) FROM event);
END;
