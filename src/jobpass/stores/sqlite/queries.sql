-- Each query begins with a line "-- name: purpose"; bindings are positional unless named.

-- data_version: a number that changes when another connection has committed
PRAGMA data_version

-- touch: a real write that changes nothing (the schema version is put back as it stands, see probe)
PRAGMA user_version = {version}

-- find_job: the job of a uuid, with its row's number
SELECT id, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at, updated_at,
       child_of, archive_path, session, previous_serial, previous_until
  FROM job WHERE uuid = ?

-- list_jobs: jobs above a number in order of creation; {filters} are the store's fixed conditions
SELECT id, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at, updated_at,
       child_of, archive_path, session, previous_serial, previous_until
  FROM job WHERE id > :after{filters} ORDER BY id LIMIT :limit

-- newest_job: the highest number that a job was ever given
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'job'), 0)

-- insert_job: a new job; answers its number
INSERT INTO job (uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at,
                 updated_at, child_of, archive_path, session, previous_serial, previous_until)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id

-- advance_job: an event that leaves the state as it was; touches no index
UPDATE job SET last_event = ?, sequence = ?, head = ?, updated_at = ? WHERE id = ?

-- move_job: an event that changes the state
UPDATE job SET last_event = ?, sequence = ?, head = ?, updated_at = ?, state = ? WHERE id = ?

-- rewrite_job: everything in the row but its uuid
UPDATE job SET lifecycle = ?, state = ?, last_event = ?, sequence = ?, head = ?, kid = ?, serial = ?, owner = ?,
       pipeline_uuid = ?, created_at = ?, updated_at = ?, child_of = ?, archive_path = ?, session = ?,
       previous_serial = ?, previous_until = ?
 WHERE id = ?

-- delete_history: all events of a job
DELETE FROM event WHERE job = ?

-- delete_job: the job's row; its history goes first
DELETE FROM job WHERE id = ?

-- insert_event: one more entry of a job's history
INSERT INTO event (job, sequence, uuid, name, data, at, state, credential, key, kid, link)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- find_key: the event that stands under an idempotency key of a job
SELECT sequence, uuid, name, data, at, state, credential, key, kid, link FROM event WHERE job = ? AND key = ?

-- history: the events of a job above a sequence, in order
SELECT event.sequence, event.uuid, event.name, data, at, event.state, credential, key, event.kid, link
  FROM job JOIN event ON event.job = job.id
 WHERE job.uuid = ? AND event.sequence > ? ORDER BY event.sequence LIMIT ?

-- replace_pipeline: new name and body of a pipeline that stands; answers its number, or nothing
UPDATE pipeline SET name = :name, body = :body, updated_at = :updated_at WHERE uuid = :uuid RETURNING id

-- add_pipeline: a new pipeline
INSERT INTO pipeline (uuid, name, body, owner, created_at, updated_at)
VALUES (:uuid, :name, :body, :owner, :created_at, :updated_at)

-- find_pipeline: the pipeline of a uuid, with its number
SELECT id, uuid, name, body, owner, created_at, updated_at FROM pipeline WHERE uuid = ?

-- list_pipelines: pipelines above a number in order of creation
SELECT id, uuid, name, body, owner, created_at, updated_at FROM pipeline WHERE id > ? ORDER BY id LIMIT ?

-- newest_pipeline: the highest number that a pipeline was ever given
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'pipeline'), 0)

-- add_principal: a new active principal; answers its id, or nothing if the address is taken (and uses up no number)
INSERT INTO principal (email, role, active, created_at, password_hash)
SELECT ?1, ?2, 1, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM principal WHERE email = ?1) RETURNING id

-- find_login: the principal of an address with its password's hash
SELECT id, email, role, active, created_at, password_hash FROM principal WHERE email = ?

-- find_principal: whether there is a principal of this id
SELECT id FROM principal WHERE id = ?

-- add_credential: record a credential; answers its number, or nothing if the id is taken
INSERT INTO credential (id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 WHERE NOT EXISTS (SELECT 1 FROM credential WHERE id = ?1)
RETURNING number

-- find_session: a credential with its principal
SELECT credential.id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number,
       principal.id, email, role, active, created_at
  FROM credential JOIN principal ON principal.id = credential.owner WHERE credential.id = ?

-- revoke_credential: end a credential that was not ended; answers its number if this did it
UPDATE credential SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL RETURNING number
