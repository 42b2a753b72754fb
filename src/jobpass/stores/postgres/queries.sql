-- Each query begins with a line "-- name: purpose"; bindings are positional ($1) or named (:name).

-- find_job: the job of a uuid, with its row's number and version
SELECT id, version, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at,
       updated_at, child_of, archive_path, session, previous_serial, previous_until, previous_kid, archive_system, work
  FROM job WHERE uuid = $1

-- load: the jobs of some uuids, each with the event that stands under a key, if there are such
SELECT wanted.place, job.id, version, job.uuid, lifecycle, job.state, last_event, job.sequence, head, job.kid, serial,
       owner, pipeline_uuid, created_at, updated_at, child_of, archive_path, session, previous_serial, previous_until,
       previous_kid, archive_system, work, event.sequence, event.uuid, event.name, data, at, event.state, credential, key,
       event.kid, link, address
  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS wanted (place, uuid, sought)
  JOIN job ON job.uuid = wanted.uuid
  LEFT JOIN event ON event.job = job.id AND event.key = wanted.sought

-- write: a group: moves the jobs whose version is as it was judged and under none of whose keys an event stands, adds
-- their events, notes which were not moved; nothing at all if the lane is not at the number before. Answers the places
-- of those that were not moved, or no row. The texts of an array come joined, as codecs.py has it. What queries.py puts
-- in where work changes is the work itself, and write_queued.
WITH gate AS MATERIALIZED (
    SELECT 1 FROM lane WHERE id = :lane AND number = :previous FOR UPDATE
), taken AS MATERIALIZED (
    SELECT asked.place FROM unnest(:key_places::bigint[], :key_jobs::bigint[], {keys}) AS asked (place, job, key)
      JOIN event ON event.job = asked.job AND event.key = asked.key
), moved AS (
    UPDATE job SET version = job.version + 1, last_event = new.last_event, sequence = new.sequence, head = new.head,
                   updated_at = new.updated_at, state = new.state{work_set}
      FROM unnest(:places::varchar::bigint[], :ids::varchar::bigint[], :versions::varchar::bigint[], {last_events}, :sequences::varchar::bigint[],
                  :heads::bytea[], :updated::varchar::bigint[], {states}{work_array})
           AS new (place, id, version, last_event, sequence, head, updated_at, state{work_column})
     WHERE job.id = new.id AND job.version = new.version AND EXISTS (SELECT 1 FROM gate)
       AND new.place NOT IN (SELECT place FROM taken)
    RETURNING new.place, job.id
), added AS (
    INSERT INTO event (job, sequence, uuid, name, data, at, state, credential, key, kid, link, address)
    SELECT entry.* FROM unnest(:e_jobs::varchar::bigint[], :e_sequences::varchar::bigint[], {e_uuids}, {e_names}, :e_data::bytea[],
                               :e_at::varchar::bigint[], {e_states}, {e_credentials}, {e_keys}, {e_kids}, :e_links::bytea[],
                               {e_addresses})
           AS entry (job, sequence, uuid, name, data, at, state, credential, key, kid, link, address)
     WHERE (entry.job IN (SELECT id FROM moved)) IS TRUE -- so it is hashed, and not joined line by line
){write_queued}, told AS (
    INSERT INTO news (job, sequence)
    SELECT entry.job, entry.sequence FROM unnest(:e_jobs::varchar::bigint[], :e_sequences::varchar::bigint[]) AS entry (job, sequence)
      JOIN job ON job.id = entry.job
     WHERE EXISTS (SELECT 1 FROM webhook WHERE disabled_at IS NULL) AND (entry.job IN (SELECT id FROM moved)) IS TRUE
       AND (EXISTS (SELECT 1 FROM webhook WHERE webhook.job_uuid = job.uuid AND disabled_at IS NULL)
         OR EXISTS (SELECT 1 FROM webhook WHERE webhook.pipeline_uuid = job.pipeline_uuid AND disabled_at IS NULL))
     ORDER BY entry.job, entry.sequence
)
UPDATE lane SET number = :number, written = :number, missed = :missed::bigint[] || ARRAY(
           SELECT place FROM unnest(:places::varchar::bigint[]) AS asked (place) WHERE place NOT IN (SELECT place FROM moved))
 WHERE id = :lane AND number = :previous AND EXISTS (SELECT 1 FROM gate) RETURNING missed

-- write_queued: a part of write: the places in the queue of those that were moved
, queued AS (
    UPDATE work SET state = new.state, seconds = new.seconds, leased_until = new.leased_until
      FROM unnest(:w_jobs::bigint[], {w_states}, :w_seconds::bigint[], :w_leases::bigint[])
           AS new (job, state, seconds, leased_until)
     WHERE work.job = new.job AND (new.job IN (SELECT id FROM moved)) IS TRUE
)

-- write_one: the same for a group of one event that changes no work, without what only many need
WITH gate AS MATERIALIZED (
    SELECT 1 FROM lane WHERE id = :lane AND number = :previous FOR UPDATE
), moved AS (
    UPDATE job SET version = version + 1, last_event = :last_event, sequence = :sequence, head = :head,
                   updated_at = :updated, state = :state
     WHERE id = :job AND version = :version AND EXISTS (SELECT 1 FROM gate)
       AND (:key::text IS NULL OR NOT EXISTS (SELECT 1 FROM event WHERE event.job = :job AND event.key = :key))
    RETURNING id, uuid, pipeline_uuid
), added AS (
    INSERT INTO event (job, sequence, uuid, name, data, at, state, credential, key, kid, link, address)
    SELECT id, :e_sequence, :e_uuid, :e_name, :e_data, :e_at, :e_state, :e_credential, :key, :e_kid, :e_link, :e_address
      FROM moved
), told AS (
    INSERT INTO news (job, sequence)
    SELECT id, :e_sequence FROM moved
     WHERE EXISTS (SELECT 1 FROM webhook WHERE disabled_at IS NULL
                      AND (webhook.job_uuid = moved.uuid OR webhook.pipeline_uuid = moved.pipeline_uuid))
)
UPDATE lane SET number = :number, written = :number,
       missed = CASE WHEN EXISTS (SELECT 1 FROM moved) THEN '{}'::bigint[] ELSE ARRAY[:place::bigint] END
 WHERE id = :lane AND number = :previous AND EXISTS (SELECT 1 FROM gate) RETURNING missed

-- enter_lane: the row of a connection that writes, after which nothing that was sent before can stand that does not
-- stand already; answers its number now, the number of the last group that stands, and what that missed
INSERT INTO lane (id, number, written, missed, seen_at)
VALUES ($1, 0, 0, '{}', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
ON CONFLICT (id) DO UPDATE SET number = lane.number + 1, seen_at = excluded.seen_at
RETURNING number, written, missed

-- lock_lane: whether the lane is at the number before; nobody else can move it then
SELECT 1 FROM lane WHERE id = $1 AND number = $2 FOR UPDATE

-- tend_lanes: a lane of this node, which is the one that asks, is in use; those that nobody has used for a day go, but
-- for this node's. Another lane's row is that one's to write: it may wait for what this one holds
WITH mine AS (
    UPDATE lane SET seen_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint WHERE id = $1
)
DELETE FROM lane WHERE seen_at < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 86400000000
   AND id <> ALL($2::text[])

-- leave_lane: the connection is closed for good; the counter keeps that there was a lane, and how often it was moved
WITH gone AS (DELETE FROM lane WHERE id = $1 RETURNING number)
INSERT INTO counter (name, value) SELECT 'lane', number FROM gone
ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value

-- lock_counters: hold some counters, in one order for all, so that nobody waits for somebody who waits for him
SELECT name FROM counter WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE

-- take_numbers: so many new numbers; answers the last one
UPDATE counter SET value = value + $2 WHERE name = $1 RETURNING value

-- newest: the highest number that was ever given
SELECT value FROM counter WHERE name = $1

-- epoch: what the number of the last end of sessions is, and the database's clock in microseconds
SELECT value, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM counter WHERE name = 'epoch'

-- notify: tell the other nodes, in several notes if need be
SELECT count(pg_notify($1, note)) FROM unnest($2::text[]) AS note

-- lock: hold a number against everybody else
SELECT pg_try_advisory_lock($1)

-- unlock: let go of it
SELECT pg_advisory_unlock($1)

-- list_jobs: jobs above a number in order of creation; {filters} are the store's fixed conditions
SELECT id, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at, updated_at,
       child_of, archive_path, session, previous_serial, previous_until, previous_kid, archive_system, work
  FROM job WHERE id > :after{filters} ORDER BY id LIMIT :limit

-- count_lifecycles: how many jobs each lifecycle has
SELECT lifecycle, count(*) FROM job GROUP BY lifecycle

-- standing_jobs: which of some uuids have a job
SELECT uuid FROM job WHERE uuid = ANY($1::text[])

-- insert_job: a new job under its number
INSERT INTO job (id, version, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid,
                 created_at, updated_at, child_of, archive_path, session, previous_serial, previous_until, previous_kid,
                 archive_system, work)
VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)

-- rewrite_job: everything in the row but its uuid, if its version is as it was judged; answers its number
UPDATE job SET version = version + 1, lifecycle = $3, state = $4, last_event = $5, sequence = $6, head = $7, kid = $8,
       serial = $9, owner = $10, pipeline_uuid = $11, created_at = $12, updated_at = $13, child_of = $14,
       archive_path = $15, session = $16, previous_serial = $17, previous_until = $18, previous_kid = $19,
       archive_system = $20, work = $21
 WHERE id = $1 AND version = $2 RETURNING id

-- insert_details: what a new job says of itself
INSERT INTO job_detail (job, generated_by, acted_on, acted_using, archive_patterns, product_patterns, attributes)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- insert_link: one link of a job
INSERT INTO job_link (job, relation, target) VALUES ($1, $2, $3)

-- delete_links: the links of one relation of a job
DELETE FROM job_link WHERE job = $1 AND relation = $2

-- insert_work: the place of a new job in the queue
INSERT INTO work (job, owner, platform, priority, created_at, token, job_group, process_id, payload, results, state,
                  seconds, leased_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- move_work: another place in the queue
UPDATE work SET results = $2, state = $3, seconds = $4, leased_until = $5 WHERE job = $1

-- hold_blobs: which of some blobs are there, and whole; nobody takes them away then
SELECT number FROM blob WHERE number = ANY($1::bigint[]) AND made_at > 0 ORDER BY number FOR NO KEY UPDATE

-- use_blob: so many works more name a blob
UPDATE blob SET uses = uses + $2 WHERE number = $1

-- leave_blobs: a job that goes names its blobs no more
UPDATE blob SET uses = uses - 1 FROM work WHERE work.job = $1 AND number IN (payload, results)

-- queued_of: how many jobs of an owner wait or are with workers, at most so many
SELECT count(*) FROM (
    SELECT 1 FROM work WHERE owner = $1 AND state IN ('waiting', 'running', 'cancel_requested') LIMIT $2
) AS queued

-- next_waiting: the first that wait for a platform, but for some: their order, whose they are, and the jobs themselves
SELECT work.priority, job.id, version, uuid, lifecycle, job.state, last_event, sequence, head, kid, serial, job.owner, pipeline_uuid,
       job.created_at, updated_at, child_of, archive_path, session, previous_serial, previous_until, previous_kid,
       archive_system, job.work
  FROM work JOIN job ON job.id = work.job
 WHERE work.platform = $1 AND work.state = 'waiting' AND work.job <> ALL($2::bigint[])
 ORDER BY work.priority DESC, work.job LIMIT $3

-- owners_waiting: of whom anything waits for a platform, one look into the index for each, and how much each has of what
-- he may have
WITH RECURSIVE waiting (owner) AS (
    SELECT min(owner) FROM work WHERE platform = $1 AND state = 'waiting'
     UNION ALL
    SELECT (SELECT min(work.owner) FROM work
             WHERE platform = $1 AND state = 'waiting' AND work.owner > waiting.owner)
      FROM waiting WHERE waiting.owner IS NOT NULL
)
SELECT (SELECT count(*) FROM work
         WHERE work.owner = waiting.owner AND work.state IN ('running', 'cancel_requested')),
       id, email, role, active, created_at, profile
  FROM waiting JOIN principal ON principal.id = waiting.owner

-- held_by: how much an owner has of what he may have
SELECT (SELECT count(*) FROM work WHERE owner = $1 AND state IN ('running', 'cancel_requested')),
       id, email, role, active, created_at, profile
  FROM principal WHERE id = $1

-- first_of_owners: as next_waiting, the first of each of some owners
SELECT found.* FROM unnest($3::bigint[]) AS wanted (owner) CROSS JOIN LATERAL (
    SELECT work.priority, job.id, version, uuid, lifecycle, job.state, last_event, sequence, head, kid, serial, job.owner, pipeline_uuid,
           job.created_at, updated_at, child_of, archive_path, session, previous_serial, previous_until, previous_kid,
           archive_system, job.work
      FROM work JOIN job ON job.id = work.job
     WHERE work.platform = $1 AND work.owner = wanted.owner AND work.state = 'waiting'
       AND work.job <> ALL($2::bigint[])
     ORDER BY work.priority DESC, work.job LIMIT 1
) AS found

-- list_work: jobs with work above a number in order of creation; {filters} are the store's fixed conditions
SELECT job.id, uuid, lifecycle, job.state, last_event, sequence, head, kid, serial, job.owner, pipeline_uuid,
       job.created_at, updated_at, child_of, archive_path, session, previous_serial, previous_until, previous_kid,
       archive_system, job.work
  FROM work JOIN job ON job.id = work.job WHERE work.job > :after{filters} ORDER BY work.job LIMIT :limit

-- load_of: how many jobs of an owner wait, and are with workers
SELECT (SELECT count(*) FROM work WHERE owner = $1 AND state = 'waiting'),
       (SELECT count(*) FROM work WHERE owner = $1 AND state IN ('running', 'cancel_requested'))

-- waiting_on: whether anything waits for one of some platforms
SELECT EXISTS (SELECT 1 FROM work WHERE platform = ANY($1::text[]) AND state = 'waiting')

-- lapsed: the jobs whose lease ended by then
SELECT uuid FROM work JOIN job ON job.id = work.job
 WHERE leased_until <= $1 AND work.state IN ('running', 'cancel_requested') ORDER BY leased_until, work.job LIMIT $2

-- process_owner: whose the first job with a process id is
SELECT owner FROM work WHERE process_id = $1 ORDER BY job LIMIT 1

-- usage: what was done with credentials, by platform
SELECT token, platform, count(*), sum(seconds)::bigint FROM work
 WHERE token = ANY(:tokens::bigint[]) AND (:since::bigint IS NULL OR created_at >= :since)
   AND (:until::bigint IS NULL OR created_at < :until)
 GROUP BY token, platform ORDER BY token, platform

-- add_blob: a new blob; answers its number, or nothing if that is taken
INSERT INTO blob (number, made_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING number

-- add_chunk: one more chunk of a blob; answers its place, or nothing if the blob is gone
INSERT INTO blob_chunk (blob, place, chunk) SELECT number, $2, $3 FROM blob WHERE number = $1 AND made_at > 0 RETURNING place

-- read_chunk: a chunk by its place
SELECT chunk FROM blob_chunk WHERE blob = $1 AND place = $2

-- has_unused: whether there are blobs made before a time which no work names
SELECT EXISTS (SELECT 1 FROM blob WHERE uses = 0 AND made_at < $1)

-- unused_blobs: the same, which nobody else is at; nobody uses them then
SELECT number FROM blob WHERE uses = 0 AND made_at < $1 ORDER BY made_at, number LIMIT $2
   FOR UPDATE SKIP LOCKED

-- delete_chunks: some chunks of a blob; answers how many these were
WITH gone AS (
    DELETE FROM blob_chunk
     WHERE blob = $1 AND place IN (SELECT place FROM blob_chunk WHERE blob = $1 ORDER BY place LIMIT $2) RETURNING 1
)
SELECT count(*) FROM gone

-- break_blob: a blob of which a part is gone: the first to be swept, and nobody may name it any more
UPDATE blob SET made_at = 0 WHERE number = $1

-- drop_blob: the same of one that no work names, and that nobody is about to name
UPDATE blob SET made_at = 0
 WHERE number = (SELECT number FROM blob WHERE number = $1 AND uses = 0 FOR UPDATE SKIP LOCKED)

-- delete_blob: a blob of which no chunk is left
DELETE FROM blob WHERE number = $1

-- find_details: what the job of a uuid was made with
SELECT generated_by, acted_on, acted_using, archive_patterns, product_patterns, attributes
  FROM job JOIN job_detail ON job_detail.job = job.id WHERE job.uuid = $1

-- archive_neighbour: another job, of another owner if one is given, whose archive path is one of some or lies between
-- two texts; the indexed beginnings narrow it down
SELECT uuid FROM job
 WHERE archive_system = :system AND uuid <> :uuid AND (:owner::bigint IS NULL OR owner <> :owner)
   AND ((left(archive_path, 500) = ANY(:heads::text[]) AND archive_path = ANY(:paths::text[]))
     OR (left(archive_path, 500) >= left(:above, 500) AND left(archive_path, 500) <= left(:below, 500)
         AND archive_path > :above AND archive_path < :below))
 ORDER BY archive_path, id LIMIT 1

-- delete_history: all events of a job
DELETE FROM event WHERE job = $1

-- delete_job: the job's row and all that hangs on it but its history, if its version is as it was judged
DELETE FROM job WHERE id = $1 AND version = $2 RETURNING id

-- hold_job: whether the job's version is as it was judged; nobody moves it then
SELECT 1 FROM job WHERE id = $1 AND version = $2 FOR UPDATE

-- lock_jobs: hold the rows of some jobs, in one order for all, so that nobody waits for somebody who waits for him
SELECT id FROM job WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE

-- orphan_files: what a deleted job leaves behind is to be swept
INSERT INTO file_orphan SELECT $1::bigint WHERE EXISTS (SELECT 1 FROM file_run WHERE job = $1)

-- insert_event: one more entry of a job's history
INSERT INTO event (job, sequence, uuid, name, data, at, state, credential, key, kid, link, address)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- insert_news: an event is news if somebody listens to the job of a number
INSERT INTO news (job, sequence)
SELECT job.id, $2 FROM job
 WHERE job.id = $1 AND EXISTS (SELECT 1 FROM webhook WHERE disabled_at IS NULL
                                  AND (webhook.job_uuid = job.uuid OR webhook.pipeline_uuid = job.pipeline_uuid))

-- history: the events of a job above a sequence, in order
SELECT event.sequence, event.uuid, event.name, data, at, event.state, credential, key, event.kid, link, address
  FROM event
 WHERE event.job = (SELECT id FROM job WHERE uuid = $1) AND event.sequence > $2 ORDER BY event.sequence LIMIT $3

-- replace_pipeline: new name and body of a pipeline that stands; answers its number, or nothing
UPDATE pipeline SET name = $2, body = $3, updated_at = $4 WHERE uuid = $1 RETURNING id

-- add_pipeline: a new pipeline under its number
INSERT INTO pipeline (id, uuid, name, body, owner, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- find_pipeline: the pipeline of a uuid, with its number
SELECT id, uuid, name, body, owner, created_at, updated_at FROM pipeline WHERE uuid = $1

-- list_pipelines: pipelines above a number in order of creation
SELECT id, uuid, name, body, owner, created_at, updated_at FROM pipeline WHERE id > $1 ORDER BY id LIMIT $2

-- has_address: whether somebody else has an address
SELECT 1 FROM principal WHERE email = $1 AND id <> $2

-- add_principal: a new principal under its number
INSERT INTO principal (id, email, role, active, created_at, password_hash, profile) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- find_login: the principal of an address with its password's hash
SELECT id, email, role, active, created_at, profile, password_hash FROM principal WHERE email = $1

-- find_principal: the principal of an id
SELECT id, email, role, active, created_at, profile FROM principal WHERE id = $1

-- hold_principal: the same, which nobody else changes then
SELECT id, email, role, active, created_at, profile FROM principal WHERE id = $1 FOR UPDATE

-- disabled_with_waiting: ids of principals who are disabled and have jobs that wait
SELECT id FROM principal
 WHERE NOT active AND EXISTS (SELECT 1 FROM work WHERE owner = principal.id AND state = 'waiting')
 ORDER BY id LIMIT $1

-- list_principals: principals above an id in order of creation; the first column is the cursor's
SELECT id, id, email, role, active, created_at, profile FROM principal WHERE id > $1 ORDER BY id LIMIT $2

-- change_principal: the whole row, the password if one is given
UPDATE principal SET email = :email, role = :role, active = :active, created_at = :created_at,
       profile = :profile, password_hash = coalesce(:password_hash, password_hash)
 WHERE id = :id

-- has_credential: whether an id is taken
SELECT 1 FROM credential WHERE id = $1

-- add_credential: record a credential under its number
INSERT INTO credential (number, id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses,
                        kid, priority, issuer, ended_by, terms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)

-- find_session: a credential with its principal, and the epoch that this was read in
SELECT (SELECT value FROM counter WHERE name = 'epoch'),
       credential.id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid,
       priority, issuer, ended_by, terms, principal.id, email, role, active, created_at, profile
  FROM credential JOIN principal ON principal.id = credential.owner WHERE credential.id = $1

-- read_credential: a credential as it is recorded
SELECT id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority,
       issuer, ended_by, terms
  FROM credential WHERE id = $1

-- find_credential: a credential by its number, deleted ones aside, with its principal
SELECT credential.id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid,
       priority, issuer, ended_by, terms, principal.id, email, role, active, created_at, profile
  FROM credential JOIN principal ON principal.id = credential.owner
 WHERE number = $1 AND ended_by IS DISTINCT FROM 'deleted'

-- place_credential: the number of the credential that is the first of a list's page; {filters} as in list_credentials
SELECT number FROM credential WHERE kind = :kind AND ended_by IS DISTINCT FROM 'deleted' AND number >= :first{filters}
 ORDER BY number LIMIT 1 OFFSET :offset

-- list_credentials: credentials from a number on, with their principals; {filters} are the store's fixed conditions
SELECT credential.id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid,
       priority, issuer, ended_by, terms, principal.id, email, role, active, created_at, profile
  FROM credential JOIN principal ON principal.id = credential.owner
 WHERE kind = :kind AND ended_by IS DISTINCT FROM 'deleted' AND number >= :first{filters} ORDER BY number LIMIT :limit

-- label_taken: the credential that has a label which is its owner's only one of its kind
SELECT id FROM credential WHERE owner = $1 AND kind = $2 AND label = $3 AND kind IN ('job', 'apikey')
   AND ended_by IS DISTINCT FROM 'deleted'

-- change_credential: what can change in a credential's row, but for its uses
UPDATE credential SET label = $1, expires_at = $2, revoked_at = $3, priority = $4, ended_by = $5, terms = $6 WHERE id = $7

-- by_parent: a credential and all that descends from it, by parent; without a limit, all
WITH RECURSIVE below (id) AS (
    SELECT $1::text COLLATE "C" UNION SELECT credential.id FROM below JOIN credential ON credential.parent = below.id
)
SELECT id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority,
       issuer, ended_by, terms
  FROM credential WHERE id IN (SELECT id FROM below) ORDER BY id = $1 DESC, number LIMIT $2

-- by_issuer: the same by issuer
WITH RECURSIVE below (id) AS (
    SELECT $1::text COLLATE "C" UNION SELECT credential.id FROM below JOIN credential ON credential.issuer = below.id
)
SELECT id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority,
       issuer, ended_by, terms
  FROM credential WHERE id IN (SELECT id FROM below) ORDER BY id = $1 DESC, number LIMIT $2

-- issuers: the credentials that a credential comes from, by issuer, the nearest (which is the last) first
WITH RECURSIVE above (id) AS (
    SELECT issuer FROM credential WHERE id = $1
     UNION
    SELECT credential.issuer FROM above JOIN credential ON credential.id = above.id
)
SELECT id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority,
       issuer, ended_by, terms
  FROM credential WHERE id IN (SELECT id FROM above) ORDER BY number DESC LIMIT $2

-- touched: the events behind a place that credentials authorised, with their jobs; {filters} are the store's fixed
-- conditions
SELECT event.at, event.job, event.sequence, job.uuid, owner, event.sequence, event.uuid, event.name, data, at,
       event.state, credential, key, event.kid, link, address
  FROM event JOIN job ON job.id = event.job
 WHERE credential = ANY(:names::text[]) AND (at, event.job, event.sequence) > (:at, :job_number, :sequence){filters}
 ORDER BY at, event.job, event.sequence LIMIT :limit

-- revoke_owned: end the living credentials of some kinds of a principal
WITH ended AS (
    UPDATE credential SET revoked_at = :at, ended_by = 'owner'
     WHERE owner = :owner AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :at)
       AND kind = ANY(:kinds::text[]) RETURNING 1
)
SELECT count(*) FROM ended

-- keep_ended: what was only revoked of a principal's credentials of some kinds is not taken up again
UPDATE credential SET ended_by = 'owner'
 WHERE owner = :owner AND ended_by IN ('revoked', 'parent') AND kind = ANY(:kinds::text[])

-- find_lines: for each of some credentials the earliest ends and the least priority of it and its ancestors, and whether
-- all of them are recorded
WITH RECURSIVE line (root, id, parent, expires_at, revoked_at, priority) AS (
    SELECT id, id, parent, expires_at, revoked_at, priority FROM credential WHERE id = ANY($1::text[])
     UNION
    SELECT root, credential.id, credential.parent, credential.expires_at, credential.revoked_at, credential.priority
      FROM line JOIN credential ON credential.id = line.parent
)
SELECT root, min(expires_at), min(revoked_at), min(priority), count(*) > count(parent) FROM line GROUP BY root

-- note_uses: add to the uses of some credentials
UPDATE credential SET uses = uses + used.count,
       last_used_at = greatest(coalesce(last_used_at, used.at), used.at)
  FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS used (id, count, at) WHERE credential.id = used.id

-- count_kids: how many jobs, living credentials and webhooks need each root key; without a time, time ends nothing
SELECT kid, sum(needed)::bigint FROM (
    SELECT kid, count(*) AS needed FROM job GROUP BY kid
     UNION ALL
    SELECT previous_kid, count(*) FROM job
     WHERE previous_kid <> kid AND (:at::bigint IS NULL OR previous_until IS NULL OR previous_until > :at)
     GROUP BY previous_kid
     UNION ALL
    SELECT kid, count(*) FROM credential
     WHERE revoked_at IS NULL AND (:at::bigint IS NULL OR expires_at IS NULL OR expires_at > :at) GROUP BY kid
     UNION ALL
    SELECT kid, count(*) FROM webhook WHERE disabled_at IS NULL GROUP BY kid
) AS uses GROUP BY kid

-- has_admin_key: whether an id is taken
SELECT 1 FROM admin_key WHERE id = $1

-- add_admin_key: a new request for power under its number
INSERT INTO admin_key (number, id, state, requester, use_case, storage, lifetime_seconds, scope, request_hash,
                       requested_at, reviewer, reviewed_at, reason, collected_at, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)

-- find_admin_key: the request of an id, with its number
SELECT number, id, state, requester, use_case, storage, lifetime_seconds, scope, request_hash, requested_at, reviewer,
       reviewed_at, reason, collected_at, revoked_at
  FROM admin_key WHERE id = $1

-- hold_admin_key: the same, which nobody else changes then
SELECT number, id, state, requester, use_case, storage, lifetime_seconds, scope, request_hash, requested_at, reviewer,
       reviewed_at, reason, collected_at, revoked_at
  FROM admin_key WHERE id = $1 FOR UPDATE

-- list_admin_keys: requests above a number in order of asking; {filters} are the store's fixed conditions
SELECT number, id, state, requester, use_case, storage, lifetime_seconds, scope, request_hash, requested_at, reviewer,
       reviewed_at, reason, collected_at, revoked_at
  FROM admin_key WHERE number > :after{filters} ORDER BY number LIMIT :limit

-- change_admin_key: everything in the row but its id
UPDATE admin_key SET state = $1, requester = $2, use_case = $3, storage = $4, lifetime_seconds = $5, scope = $6,
       request_hash = $7, requested_at = $8, reviewer = $9, reviewed_at = $10, reason = $11, collected_at = $12,
       revoked_at = $13
 WHERE number = $14

-- audit_head: the last sequence and link of a node
SELECT sequence, link FROM audit WHERE node = $1 ORDER BY sequence DESC LIMIT 1

-- insert_audit: one more entry of a node's audit
INSERT INTO audit (id, node, sequence, at, name, principal, credential, address, subject, data, kid, link)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- list_audit: entries above a number in order of writing; {filters} are the store's fixed conditions
SELECT id, node, sequence, at, name, principal, credential, address, subject, data, kid, link
  FROM audit WHERE id > :after{filters} ORDER BY id LIMIT :limit

-- first_audit: the lowest number of an entry since a time
SELECT min(id) FROM audit WHERE at >= :since

-- audit_nodes: the nodes in order, one look into the index for each
WITH RECURSIVE found (node) AS (
    SELECT min(node) FROM audit
     UNION ALL
    SELECT (SELECT min(node) FROM audit WHERE node > found.node) FROM found WHERE found.node IS NOT NULL
)
SELECT node FROM found WHERE node IS NOT NULL

-- has_platform: whether a name or an id is taken
SELECT 1 FROM platform WHERE name = $1 OR id = $2

-- add_platform: a new platform under its number
INSERT INTO platform (number, id, name, description, type, status, created_at, max_shots, max_duration_seconds,
                      constraints, specs, perfs, maintenance_start_at, maintenance_end_at, seen_at, retired_at, presence)
VALUES (:number, :id, :name, :description, :type, :status, :created_at, :max_shots, :max_duration_seconds,
        :constraints, :specs, :perfs, :maintenance_start_at, :maintenance_end_at, :seen_at, :retired_at, :presence)

-- find_platform: the platform of a name
SELECT id, name, description, type, status, created_at, max_shots, max_duration_seconds, constraints, specs, perfs,
       maintenance_start_at, maintenance_end_at, seen_at, retired_at, presence
  FROM platform WHERE name = $1

-- hold_platform: the same, which nobody else changes then
SELECT id, name, description, type, status, created_at, max_shots, max_duration_seconds, constraints, specs, perfs,
       maintenance_start_at, maintenance_end_at, seen_at, retired_at, presence
  FROM platform WHERE name = $1 FOR UPDATE

-- list_platforms: all platforms in order of creation
SELECT id, name, description, type, status, created_at, max_shots, max_duration_seconds, constraints, specs, perfs,
       maintenance_start_at, maintenance_end_at, seen_at, retired_at, presence
  FROM platform ORDER BY number

-- change_platform: the whole row but id, name and time of creation
UPDATE platform SET description = :description, type = :type, status = :status, max_shots = :max_shots,
       max_duration_seconds = :max_duration_seconds, constraints = :constraints, specs = :specs, perfs = :perfs,
       maintenance_start_at = :maintenance_start_at, maintenance_end_at = :maintenance_end_at, seen_at = :seen_at,
       retired_at = :retired_at, presence = :presence
 WHERE id = :id AND name = :name

-- count_webhooks: how many webhooks somebody has
SELECT count(*) FROM webhook WHERE owner = $1

-- add_webhook: a new webhook under its number, which listens from now on
INSERT INTO webhook (number, id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, created_at,
                     previous_kid, previous_until, failing_since, disabled_at, reason, since)
SELECT :number, :id, :owner, :url, :job_uuid, :pipeline_uuid, :events, :kid, :secret_number, :created_at,
       :previous_kid, :previous_until, :failing_since, :disabled_at, :reason,
       CASE WHEN is_called THEN last_value ELSE 0 END FROM news_id_seq

-- find_webhook: the webhook of an id, with its number
SELECT number, id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, created_at, previous_kid,
       previous_until, failing_since, disabled_at, reason
  FROM webhook WHERE id = $1

-- hold_webhook: the same, which nobody else changes then
SELECT number, id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, created_at, previous_kid,
       previous_until, failing_since, disabled_at, reason
  FROM webhook WHERE id = $1 FOR UPDATE

-- list_webhooks: webhooks above a number in order of creation; {filters} are the store's fixed conditions
SELECT number, id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, created_at, previous_kid,
       previous_until, failing_since, disabled_at, reason
  FROM webhook WHERE number > :after{filters} ORDER BY number LIMIT :limit

-- change_webhook: everything in the row that changes; one that is enabled again listens from now on
UPDATE webhook SET url = :url, events = :events, kid = :kid, secret_number = :secret_number,
       previous_kid = :previous_kid, previous_until = :previous_until, failing_since = :failing_since,
       since = CASE WHEN disabled_at IS NOT NULL AND :disabled_at::bigint IS NULL
                    THEN (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM news_id_seq) ELSE since END,
       disabled_at = :disabled_at, reason = :reason
 WHERE id = :id

-- delete_webhook: the webhook with its deliveries; answers its number
DELETE FROM webhook WHERE id = $1 RETURNING number

-- bury_deliveries: what waits for a webhook is dead
UPDATE delivery SET dead_at = :at, next_at = NULL, last_error = coalesce(last_error, :reason)
 WHERE webhook = :webhook AND dead_at IS NULL

-- unfit_webhooks: those that go on without an active owner or a root key of some
SELECT number, webhook.id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, webhook.created_at,
       previous_kid, previous_until, failing_since, disabled_at, reason
  FROM webhook JOIN principal ON principal.id = webhook.owner
 WHERE disabled_at IS NULL AND (NOT active OR kid <> ALL($1::text[])) ORDER BY number

-- has_news: whether there are events that were not looked at
SELECT EXISTS (SELECT 1 FROM news)

-- next_news: events that were not looked at, oldest first
SELECT id FROM news ORDER BY id LIMIT $1

-- listened_news: some of them which somebody may want, with their webhook and its owner
SELECT news.id, job.id, job.uuid, job.pipeline_uuid, job.owner, event.sequence, event.name, event.at, event.uuid,
       webhook.id, principal.id, email, role, active, principal.created_at, profile
  FROM news JOIN job ON job.id = news.job
  JOIN event ON event.job = news.job AND event.sequence = news.sequence
  JOIN webhook ON disabled_at IS NULL AND (webhook.job_uuid = job.uuid OR webhook.pipeline_uuid = job.pipeline_uuid)
  JOIN principal ON principal.id = webhook.owner AND active
 WHERE news.id = ANY($1::bigint[]) AND since < news.id ORDER BY news.id, webhook.number

-- forget_news: they were looked at
DELETE FROM news WHERE id = ANY($1::bigint[])

-- add_delivery: an event for a webhook; it is first in line if nothing waits for the same job
INSERT INTO delivery (id, webhook, job, line, sequence, message, made_at, attempts, next_at)
VALUES (:id, :webhook::text, :job, :line::bigint, :sequence, :message, :at::bigint, 0,
        CASE WHEN EXISTS (SELECT 1 FROM delivery WHERE webhook = :webhook AND line = :line AND dead_at IS NULL)
             THEN NULL ELSE :at END)
ON CONFLICT (webhook, job, sequence) DO NOTHING

-- waiting_ping: the ping that waits for a webhook
SELECT id FROM delivery WHERE webhook = $1 AND line = 0 AND dead_at IS NULL

-- due_webhooks: those for which something can be sent, one look into the index for each that waits for anything
WITH RECURSIVE waiting (id) AS (
    SELECT min(webhook) FROM delivery WHERE next_at IS NOT NULL
     UNION ALL
    SELECT (SELECT min(webhook) FROM delivery WHERE next_at IS NOT NULL AND webhook > waiting.id)
      FROM waiting WHERE waiting.id IS NOT NULL
)
SELECT number, webhook.id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, webhook.created_at,
       previous_kid, previous_until, failing_since, disabled_at, reason
  FROM waiting JOIN webhook ON webhook.id = waiting.id JOIN principal ON principal.id = webhook.owner
 WHERE disabled_at IS NULL AND active
   AND EXISTS (SELECT 1 FROM delivery WHERE webhook = waiting.id AND next_at IS NOT NULL AND next_at <= $1)
 ORDER BY webhook.id

-- find_listener: a webhook that may be told something, with its number
SELECT number, webhook.id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, webhook.created_at,
       previous_kid, previous_until, failing_since, disabled_at, reason
  FROM webhook JOIN principal ON principal.id = webhook.owner WHERE webhook.id = $1 AND disabled_at IS NULL AND active

-- claim_due: take what can be sent to a webhook until a time, longest due first; what somebody else takes is left to him
WITH due AS MATERIALIZED (
    SELECT id, next_at FROM delivery WHERE webhook = $1 AND next_at IS NOT NULL AND next_at <= $2
     ORDER BY next_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE delivery SET next_at = $4, attempts = attempts + 1 FROM due WHERE delivery.id = due.id
)
SELECT id FROM due ORDER BY next_at, id

-- claim_delivery: take a delivery until then
UPDATE delivery SET next_at = $1, attempts = attempts + 1 WHERE id = $2

-- claimed_deliveries: some deliveries with what is sent
SELECT delivery.id, webhook, message, made_at, attempts, job.uuid, delivery.sequence, event.name, dead_at, last_error,
       job.pipeline_uuid, event.sequence, event.uuid, event.name, data, event.at, event.state, credential, key,
       event.kid, link, address
  FROM delivery LEFT JOIN job ON job.id = delivery.job
  LEFT JOIN event ON event.job = delivery.job AND event.sequence = delivery.sequence
 WHERE delivery.id = ANY($1::bigint[])

-- end_delivery: a delivery was made, unless it was claimed anew; answers its line
DELETE FROM delivery WHERE id = $1 AND attempts = $2 AND dead_at IS NULL RETURNING line

-- fail_delivery: the same for one that failed
UPDATE delivery SET next_at = :next_at, last_error = :error,
       dead_at = CASE WHEN :next_at::bigint IS NULL THEN :at::bigint END
 WHERE id = :id AND attempts = :attempts AND dead_at IS NULL RETURNING line

-- release_delivery: give a claim back
UPDATE delivery SET next_at = $1, attempts = attempts - 1 WHERE id = $2 AND attempts = $3 AND dead_at IS NULL

-- promote_delivery: the first that waits of a webhook and a line can be sent; answers its id
UPDATE delivery SET next_at = $3
 WHERE id = (SELECT id FROM delivery WHERE webhook = $1 AND line = $2 AND dead_at IS NULL
              ORDER BY sequence, id LIMIT 1)
RETURNING id

-- note_failing: since when a webhook fails
UPDATE webhook SET failing_since = coalesce(failing_since, $1) WHERE id = $2

-- note_sound: a webhook fails no more; touches nothing if it did not
UPDATE webhook SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL

-- count_deliveries: how many wait for a webhook, and how many are dead
SELECT (SELECT count(*) FROM delivery WHERE webhook = $1 AND dead_at IS NULL),
       (SELECT count(*) FROM delivery WHERE webhook = $1 AND dead_at IS NOT NULL)

-- list_dead: the dead deliveries of a webhook above an id
SELECT delivery.id, delivery.id, webhook, message, made_at, attempts, job.uuid, delivery.sequence, event.name, dead_at,
       last_error
  FROM delivery LEFT JOIN job ON job.id = delivery.job
  LEFT JOIN event ON event.job = delivery.job AND event.sequence = delivery.sequence
 WHERE webhook = $1 AND dead_at IS NOT NULL AND delivery.id > $2 ORDER BY delivery.id LIMIT $3

-- revive_dead: dead deliveries, of some ids or any, wait again behind what waits
UPDATE delivery SET dead_at = NULL, next_at = NULL, attempts = 0
 WHERE id IN (SELECT id FROM delivery WHERE webhook = $1 AND dead_at IS NOT NULL AND dead_at <= $2
                 AND ($3::bigint[] IS NULL OR id = ANY($3)) ORDER BY id LIMIT $4)
RETURNING line

-- has_first: whether one that waits of a webhook and a line is first in line
SELECT EXISTS (SELECT 1 FROM delivery WHERE webhook = $1 AND line = $2 AND dead_at IS NULL AND next_at IS NOT NULL)

-- forget_old: dead deliveries from before a time
DELETE FROM delivery WHERE dead_at < $1

-- crowded: webhooks with more deliveries than so many
SELECT webhook, count(*) FILTER (WHERE dead_at IS NULL), count(*) FILTER (WHERE dead_at IS NOT NULL)
  FROM delivery GROUP BY webhook HAVING count(*) > $1

-- forget_more: all dead deliveries of a webhook but the last so many
DELETE FROM delivery WHERE webhook = $1 AND dead_at IS NOT NULL
   AND id <= (SELECT id FROM delivery WHERE webhook = $1 AND dead_at IS NOT NULL ORDER BY id DESC OFFSET $2 LIMIT 1)

-- find_jobs: the jobs of some uuids
SELECT uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at, updated_at,
       child_of, archive_path, session, previous_serial, previous_until, previous_kid, archive_system, work
  FROM job WHERE uuid = ANY($1::text[])

-- find_pipelines: the pipelines of some uuids, each with its number
SELECT id, uuid, name, body, owner, created_at, updated_at FROM pipeline WHERE uuid = ANY($1::text[])

-- insert_legacy: what the old token of an imported job is checked with
INSERT INTO legacy_token (job, serial, kid, salt, fields, until) VALUES ($1, $2, $3, $4, $5, $6)

-- find_legacy: the same, as long as the job has the serial and root key that it was imported with
SELECT legacy_token.serial, legacy_token.kid, salt, fields, until
  FROM job JOIN legacy_token ON legacy_token.job = job.id
 WHERE job.uuid = $1 AND job.serial = legacy_token.serial AND job.kid = legacy_token.kid

-- has_legacy: whether an old token may live after a time
SELECT EXISTS (SELECT 1 FROM legacy_token WHERE until > $1)

-- count_legacy: how many old tokens live
SELECT count(*) FROM job JOIN legacy_token ON legacy_token.job = job.id
 WHERE until > $1 AND job.serial = legacy_token.serial AND job.kid = legacy_token.kid

-- end_legacy: forget all old tokens, or those that ended by a time
WITH ended AS (DELETE FROM legacy_token WHERE $1::bigint IS NULL OR until <= $1 RETURNING 1) SELECT count(*) FROM ended

-- find_progress: how far the import of a file came
SELECT source, documents, digest, counts FROM import_progress WHERE source = $1

-- put_progress: it came further
INSERT INTO import_progress (source, documents, digest, counts) VALUES ($1, $2, $3, $4)
    ON CONFLICT (source) DO UPDATE SET documents = $2, digest = $3, counts = $4

-- forget_progress: it has ended
DELETE FROM import_progress WHERE source = $1

-- find_this_job: the number of the job of a uuid that was made then; it is not deleted meanwhile
SELECT id FROM job WHERE uuid = $1 AND created_at = $2 FOR KEY SHARE

-- put_run: how far an indexing is; its sources stay those that it first came with
INSERT INTO file_run (job, run, begun_at, ended_at, total_files, total_bytes, files, bytes, error, sources)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (job, run) DO UPDATE SET ended_at = excluded.ended_at, total_files = excluded.total_files,
       total_bytes = excluded.total_bytes, files = excluded.files, bytes = excluded.bytes, error = excluded.error

-- known_places: which of some paths of a job are recorded already
SELECT place FROM file WHERE job = $1 AND place = ANY($2::bytea[])

-- put_file: a file that was found; without a digest the one from before holds if nothing shows that the file changed
INSERT INTO file (id, place, job, run, seen, path, uuid, kind, level, size, modified_at, digest, sources, indexed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (job, place) DO UPDATE SET run = excluded.run, seen = excluded.seen, uuid = excluded.uuid,
       kind = excluded.kind, level = excluded.level, size = excluded.size, modified_at = excluded.modified_at,
       digest = coalesce(excluded.digest,
                         CASE WHEN file.size = excluded.size AND file.modified_at = excluded.modified_at
                              THEN file.digest END),
       sources = excluded.sources, indexed_at = excluded.indexed_at

-- see_files: files that are there, though nobody asked for them this time
UPDATE file SET seen = $1 WHERE job = $2 AND place = ANY($3::bytea[])

-- next_files: the next files of a job, and which run saw them last
SELECT id, seen FROM file WHERE job = $1 AND id > $2 ORDER BY id LIMIT $3

-- delete_files: some files
DELETE FROM file WHERE id = ANY($1::bigint[])

-- delete_old_runs: runs before another one of which no file is left
DELETE FROM file_run WHERE job = $1 AND run < $2
   AND NOT EXISTS (SELECT 1 FROM file WHERE file.job = file_run.job AND file.run = file_run.run)

-- find_run: a run of the job of a uuid, or its last one
SELECT run, begun_at, ended_at, total_files, total_bytes, files, bytes, error, sources FROM file_run
 WHERE job = (SELECT id FROM job WHERE uuid = $1) AND ($2::bigint IS NULL OR run = $2) ORDER BY run DESC LIMIT 1

-- list_files: the files of a job above a number; {filters} are the store's fixed conditions
SELECT id, path, uuid, kind, level, size, modified_at, digest, sources, run, indexed_at FROM file
 WHERE job = (SELECT job.id FROM job WHERE job.uuid = :uuid) AND id > :after{filters} ORDER BY id LIMIT :limit

-- find_orphan: a deleted job that left files behind
SELECT job FROM file_orphan LIMIT 1

-- delete_runs: all runs of a job
DELETE FROM file_run WHERE job = $1

-- forget_orphan: nothing of it is left
DELETE FROM file_orphan WHERE job = $1
