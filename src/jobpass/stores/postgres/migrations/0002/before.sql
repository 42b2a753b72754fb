-- Tokens with limits, labels, a line of descent and an end that says why; people with a profile; platforms.

ALTER TABLE event ADD COLUMN address text; -- where it came from; no part of the chain

ALTER TABLE principal ADD COLUMN profile bytea NOT NULL DEFAULT '\x7b7d'; -- JSON object: names, priority, limits

ALTER TABLE credential ADD COLUMN priority bigint NOT NULL DEFAULT 0;
ALTER TABLE credential ADD COLUMN issuer   text COLLATE "C"; -- the credential with which it was asked for
ALTER TABLE credential ADD COLUMN ended_by text; -- why it was revoked, where that is known
ALTER TABLE credential ADD COLUMN terms    bytea NOT NULL DEFAULT '\x7b7d'; -- JSON object: platforms, actions, ...
CREATE INDEX credential_parent ON credential (parent) WHERE parent IS NOT NULL;
CREATE INDEX credential_issuer ON credential (issuer) WHERE issuer IS NOT NULL;
CREATE UNIQUE INDEX credential_label ON credential (owner, kind, label)
    WHERE kind IN ('job', 'apikey') AND ended_by IS DISTINCT FROM 'deleted';
-- Lists skip to a place in them: what decides whether a credential is shown lies in the index.
CREATE INDEX credential_kind ON credential (kind, number, expires_at, revoked_at)
    WHERE ended_by IS DISTINCT FROM 'deleted';
CREATE INDEX credential_owned ON credential (owner, kind, number, expires_at, revoked_at)
    WHERE ended_by IS DISTINCT FROM 'deleted';

CREATE TABLE platform (
    number               bigint PRIMARY KEY,
    id                   text   COLLATE "C" NOT NULL UNIQUE,
    name                 text   COLLATE "C" NOT NULL UNIQUE,
    description          text   NOT NULL,
    type                 text   NOT NULL,
    status               text   NOT NULL,
    created_at           bigint NOT NULL,
    max_shots            bigint,
    max_duration_seconds bigint,
    constraints          bytea  NOT NULL, -- JSON objects: the operator's words, and the workers' last
    specs                bytea  NOT NULL,
    perfs                bytea  NOT NULL,
    maintenance_start_at bigint,
    maintenance_end_at   bigint,
    seen_at              bigint,
    retired_at           bigint
);
INSERT INTO counter (name, value) VALUES ('platform', 0);
