-- What the first schema holds: a job with two events, another one with parents, a pipeline, a principal, a credential.
-- The times are the tests' AT, 2026-11-22 12:00:00.123456 UTC, and seconds after it.
INSERT INTO job (uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at,
                 updated_at, child_of, archive_path, session, previous_serial, previous_until, previous_kid)
VALUES ('job', 'pipeline', 'CREATED', 'update', 2, zeroblob(32), 'k1', -1, 1, 'pipe', 1795348800123456,
        1795348802123456, '[]', '/old/path', 'old session', 1, NULL, 'k0'),
       ('child', 'pipeline', 'CREATED', 'create', 1, zeroblob(32), 'k1', 5, 1, 'other', 1795348800123456,
        1795348801123456, '["job","p","job"]', NULL, NULL, NULL, NULL, NULL);
INSERT INTO event (job, sequence, uuid, name, data, at, state, credential, key, kid, link)
VALUES (1, 1, 'event-1', 'create', CAST('null' AS BLOB), 1795348801123456, 'CREATED', 'doc:1', NULL, 'k1', zeroblob(32)),
       (1, 2, 'event-2', 'update', CAST('null' AS BLOB), 1795348802123456, 'CREATED', 'doc:1', 'k', 'k1', zeroblob(32)),
       (2, 1, 'event-3', 'create', CAST('null' AS BLOB), 1795348801123456, 'CREATED', 'doc:1', NULL, 'k1', zeroblob(32));
INSERT INTO pipeline (uuid, name, body, owner, created_at, updated_at)
VALUES ('pipe', 'a pipeline', CAST('{"id":"a"}' AS BLOB), 1, 1795348800123456, 1795348800123456);
INSERT INTO principal (email, role, active, created_at, password_hash)
VALUES ('a@b', 'author', 1, 1795348800123456, 'h');
INSERT INTO credential (id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, kid)
VALUES ('c1', 'login', 1, '', 1795348800123456, NULL, NULL, NULL, NULL, 0, 'k1');
