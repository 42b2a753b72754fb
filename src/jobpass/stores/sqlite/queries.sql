-- Each query begins with a line "-- name: purpose"; bindings are positional unless named.

-- data_version: a number that changes when another connection has committed
PRAGMA data_version

-- touch: a real write that changes nothing (the schema version is put back as it stands, see probe)
PRAGMA user_version = {version}

-- find_job: the job of a uuid, with its row's number
SELECT id, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at, updated_at,
       child_of, archive_path, session, previous_serial, previous_until, previous_kid, archive_system, work
  FROM job WHERE uuid = ?

-- list_jobs: jobs above a number in order of creation; {filters} are the store's fixed conditions
SELECT id, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at, updated_at,
       child_of, archive_path, session, previous_serial, previous_until, previous_kid, archive_system, work
  FROM job WHERE id > :after{filters} ORDER BY id LIMIT :limit

-- list_linked: jobs with link {n} above a number in order of creation, found from the links: each step asks for the
-- next job of each target, so that no page reads more links than it shows; {filters} are the store's fixed conditions
WITH RECURSIVE wanted (target) AS MATERIALIZED (
    SELECT value FROM json_each(:targets_{n})
     WHERE EXISTS (SELECT 1 FROM job_link WHERE target = value AND relation = :relation_{n})
), found (job) AS (
    SELECT min((SELECT min(job) FROM job_link
                 WHERE target = wanted.target AND relation = :relation_{n} AND job > :after)) FROM wanted
     UNION ALL
    SELECT (SELECT min((SELECT min(job) FROM job_link
                         WHERE target = wanted.target AND relation = :relation_{n} AND job > found.job)) FROM wanted)
      FROM found WHERE found.job IS NOT NULL
)
SELECT id, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at, updated_at,
       child_of, archive_path, session, previous_serial, previous_until, previous_kid, archive_system, work
  FROM found CROSS JOIN job ON job.id = found.job WHERE TRUE{filters} LIMIT :limit

-- count_lifecycles: how many jobs each lifecycle has
SELECT lifecycle, count(*) FROM job GROUP BY lifecycle

-- list_owned: as list_jobs, found from the owner
SELECT id, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at, updated_at,
       child_of, archive_path, session, previous_serial, previous_until, previous_kid, archive_system, work
  FROM job INDEXED BY job_owner WHERE owner = :owner AND id > :after{filters} ORDER BY id LIMIT :limit

-- count_linked: how many links above a number meet condition {n}, at most :most
SELECT count(*) FROM (
    SELECT 1 FROM json_each(:targets_{n}) AS wanted CROSS JOIN job_link
        ON job_link.target = wanted.value AND job_link.relation = :relation_{n} AND job_link.job > :after LIMIT :most
)

-- count_owned: how many jobs above a number are an owner's, at most :most
SELECT count(*) FROM (SELECT 1 FROM job INDEXED BY job_owner WHERE owner = :owner AND id > :after LIMIT :most)

-- newest_job: the highest number that a job was ever given
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'job'), 0)

-- insert_job: a new job; answers its number
INSERT INTO job (uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at,
                 updated_at, child_of, archive_path, session, previous_serial, previous_until, previous_kid, archive_system,
                 work)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id

-- advance_job: an event that leaves the state as it was; touches no index
UPDATE job SET last_event = ?, sequence = ?, head = ?, updated_at = ? WHERE id = ?

-- move_job: an event that changes the state
UPDATE job SET last_event = ?, sequence = ?, head = ?, updated_at = ?, state = ? WHERE id = ?

-- rewrite_job: everything in the row but its uuid
UPDATE job SET lifecycle = ?, state = ?, last_event = ?, sequence = ?, head = ?, kid = ?, serial = ?, owner = ?,
       pipeline_uuid = ?, created_at = ?, updated_at = ?, child_of = ?, archive_path = ?, session = ?,
       previous_serial = ?, previous_until = ?, previous_kid = ?, archive_system = ?, work = ?
 WHERE id = ?

-- insert_details: what a new job says of itself
INSERT INTO job_detail (job, generated_by, acted_on, acted_using, archive_patterns, product_patterns, attributes)
VALUES (?, ?, ?, ?, ?, ?, ?)

-- insert_link: one link of a job
INSERT INTO job_link (job, relation, target) VALUES (?, ?, ?)

-- delete_links: the links of one relation of a job
DELETE FROM job_link WHERE job = ? AND relation = ?

-- find_details: what the job of a uuid was made with
SELECT generated_by, acted_on, acted_using, archive_patterns, product_patterns, attributes
  FROM job JOIN job_detail ON job_detail.job = job.id WHERE job.uuid = ?

-- archive_around: other jobs whose archive path is one of some (a JSON array)
SELECT uuid, owner FROM job WHERE archive_system = :system AND archive_path IN (SELECT value FROM json_each(:paths))
   AND uuid <> :uuid AND (:owner IS NULL OR owner <> :owner) ORDER BY archive_path, id LIMIT :limit

-- archive_inside: other jobs whose archive path lies between two texts
SELECT uuid, owner FROM job WHERE archive_system = :system AND archive_path > :above AND archive_path < :below
   AND uuid <> :uuid AND (:owner IS NULL OR owner <> :owner) ORDER BY archive_path, id LIMIT :limit

-- archive_newer: whether a job with a higher number than that, of another owner, is one of either kind
SELECT 1 FROM job WHERE id > :newest AND +archive_system = :system AND owner <> :owner
   AND (archive_path IN (SELECT value FROM json_each(:paths)) OR (archive_path > :above AND archive_path < :below))
 LIMIT 1

-- delete_history: all events of a job
DELETE FROM event WHERE job = ?

-- delete_job: the job's row and all that hangs on it but its history, which goes first
DELETE FROM job WHERE id = ?

-- insert_event: one more entry of a job's history
INSERT INTO event (job, sequence, uuid, name, data, at, state, credential, key, kid, link, address)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- find_key: the event that stands under an idempotency key of a job
SELECT sequence, uuid, name, data, at, state, credential, key, kid, link, address FROM event WHERE job = ? AND key = ?

-- history: the events of a job above a sequence, in order
SELECT event.sequence, event.uuid, event.name, data, at, event.state, credential, key, event.kid, link, address
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

-- add_principal: a new principal; answers its id, or nothing if the address is taken (and uses up no number)
INSERT INTO principal (email, role, active, created_at, password_hash, profile)
SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM principal WHERE email = ?1) RETURNING id

-- find_login: the principal of an address with its password's hash
SELECT id, email, role, active, created_at, profile, password_hash FROM principal WHERE email = ?

-- find_principal: the principal of an id
SELECT id, email, role, active, created_at, profile FROM principal WHERE id = ?

-- disabled_with_waiting: ids of principals who are disabled and have jobs that wait
SELECT id FROM principal
 WHERE NOT active AND EXISTS (SELECT 1 FROM work WHERE owner = principal.id AND state = 'waiting')
 ORDER BY id LIMIT :limit

-- list_principals: principals above an id in order of creation; the first column is the cursor's
SELECT id, id, email, role, active, created_at, profile FROM principal WHERE id > ? ORDER BY id LIMIT ?

-- newest_principal: the highest id that a principal was ever given
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'principal'), 0)

-- change_principal: the whole row, the password if one is given; answers the id, or nothing if the address is taken
UPDATE principal SET email = :email, role = :role, active = :active, created_at = :created_at, profile = :profile,
       password_hash = coalesce(:password_hash, password_hash)
 WHERE id = :id AND NOT EXISTS (SELECT 1 FROM principal WHERE email = :email AND id <> :id) RETURNING id

-- add_credential: record a credential; answers its number, or nothing if the id is taken
INSERT INTO credential (id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, kid,
                        priority, issuer, ended_by, terms)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15
 WHERE NOT EXISTS (SELECT 1 FROM credential WHERE id = ?1)
RETURNING number

-- label_taken: the credential that has a label which is its owner's only one of its kind
SELECT id FROM credential WHERE owner = ? AND kind = ? AND label = ? AND kind IN ('job', 'apikey')
   AND ended_by IS NOT 'deleted'

-- read_credential: a credential as it is recorded
SELECT id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority, issuer,
       ended_by, terms
  FROM credential WHERE id = ?

-- find_session: a credential with its principal
SELECT credential.id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority, issuer,
       ended_by, terms, principal.id, email, role, active, created_at, profile
  FROM credential JOIN principal ON principal.id = credential.owner WHERE credential.id = ?

-- find_credential: the same by its number, deleted ones aside
SELECT credential.id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority, issuer,
       ended_by, terms, principal.id, email, role, active, created_at, profile
  FROM credential JOIN principal ON principal.id = credential.owner WHERE number = ? AND ended_by IS NOT 'deleted'

-- place_credential: the number of the credential that is the first of a list's page; {filters} as in list_credentials
SELECT number FROM credential WHERE kind = :kind AND ended_by IS NOT 'deleted' AND number >= :first{filters}
 ORDER BY number LIMIT 1 OFFSET :offset

-- list_credentials: credentials from a number on, with their principals; {filters} are the store's fixed conditions
SELECT credential.id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority, issuer,
       ended_by, terms, principal.id, email, role, active, created_at, profile
  FROM credential JOIN principal ON principal.id = credential.owner
 WHERE kind = :kind AND ended_by IS NOT 'deleted' AND number >= :first{filters} ORDER BY number LIMIT :limit

-- change_credential: what can change in a credential's row, but for its uses
UPDATE credential SET label = ?, expires_at = ?, revoked_at = ?, priority = ?, ended_by = ?, terms = ? WHERE id = ?

-- by_parent: a credential and all that descends from it, by parent
WITH RECURSIVE below (id) AS (
    SELECT ?1 UNION SELECT credential.id FROM below JOIN credential ON credential.parent = below.id
)
SELECT id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority, issuer,
       ended_by, terms
  FROM credential WHERE id IN (SELECT id FROM below) ORDER BY id = ?1 DESC, number LIMIT ?2

-- by_issuer: the same by issuer
WITH RECURSIVE below (id) AS (
    SELECT ?1 UNION SELECT credential.id FROM below JOIN credential ON credential.issuer = below.id
)
SELECT id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority, issuer,
       ended_by, terms
  FROM credential WHERE id IN (SELECT id FROM below) ORDER BY id = ?1 DESC, number LIMIT ?2

-- issuers: the credentials that a credential comes from, by issuer, the nearest (which is the last) first
WITH RECURSIVE above (id) AS (
    SELECT issuer FROM credential WHERE id = ?1
     UNION
    SELECT credential.issuer FROM above JOIN credential ON credential.id = above.id
)
SELECT id, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority, issuer,
       ended_by, terms
  FROM credential WHERE id IN (SELECT id FROM above) ORDER BY number DESC LIMIT ?2

-- revoke_owned: end the living credentials of some kinds (a JSON array) of a principal
UPDATE credential SET revoked_at = :at, ended_by = 'owner'
 WHERE owner = :owner AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :at)
   AND kind IN (SELECT value FROM json_each(:kinds))

-- keep_ended: what was only revoked of a principal's credentials of some kinds is not taken up again
UPDATE credential SET ended_by = 'owner'
 WHERE owner = :owner AND ended_by IN ('revoked', 'parent') AND kind IN (SELECT value FROM json_each(:kinds))

-- find_line: the earliest ends and the least priority of a credential and its ancestors, and whether all are recorded
WITH RECURSIVE line (id, parent, expires_at, revoked_at, priority) AS (
    SELECT id, parent, expires_at, revoked_at, priority FROM credential WHERE id = ?
     UNION
    SELECT credential.id, credential.parent, credential.expires_at, credential.revoked_at, credential.priority
      FROM line JOIN credential ON credential.id = line.parent
)
SELECT min(expires_at), min(revoked_at), min(priority), count(*) > count(parent) FROM line

-- note_uses: add to a credential's uses
UPDATE credential SET uses = uses + ?1, last_used_at = max(coalesce(last_used_at, ?2), ?2) WHERE id = ?3

-- count_kids: how many jobs, living credentials and webhooks need each root key; without a time, time ends nothing
SELECT kid, sum(needed) FROM (
    SELECT kid, count(*) AS needed FROM job GROUP BY kid
     UNION ALL
    SELECT previous_kid, count(*) FROM job
     WHERE previous_kid <> kid AND (:at IS NULL OR previous_until IS NULL OR previous_until > :at) GROUP BY previous_kid
     UNION ALL
    SELECT kid, count(*) FROM credential
     WHERE revoked_at IS NULL AND (:at IS NULL OR expires_at IS NULL OR expires_at > :at) GROUP BY kid
     UNION ALL
    SELECT kid, count(*) FROM webhook WHERE disabled_at IS NULL GROUP BY kid
) GROUP BY kid

-- add_admin_key: a new request for power; answers its number, or nothing if the id is taken
INSERT INTO admin_key (id, state, requester, use_case, storage, lifetime_seconds, scope, request_hash, requested_at,
                       reviewer, reviewed_at, reason, collected_at, revoked_at)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14
 WHERE NOT EXISTS (SELECT 1 FROM admin_key WHERE id = ?1) RETURNING number

-- find_admin_key: the request of an id, with its number
SELECT number, id, state, requester, use_case, storage, lifetime_seconds, scope, request_hash, requested_at, reviewer,
       reviewed_at, reason, collected_at, revoked_at
  FROM admin_key WHERE id = ?

-- list_admin_keys: requests above a number in order of asking; {filters} are the store's fixed conditions
SELECT number, id, state, requester, use_case, storage, lifetime_seconds, scope, request_hash, requested_at, reviewer,
       reviewed_at, reason, collected_at, revoked_at
  FROM admin_key WHERE number > :after{filters} ORDER BY number LIMIT :limit

-- newest_admin_key: the highest number that a request was ever given
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'admin_key'), 0)

-- change_admin_key: everything in the row but its id
UPDATE admin_key SET state = ?, requester = ?, use_case = ?, storage = ?, lifetime_seconds = ?, scope = ?,
       request_hash = ?, requested_at = ?, reviewer = ?, reviewed_at = ?, reason = ?, collected_at = ?, revoked_at = ?
 WHERE number = ?

-- audit_head: the last sequence and link of a node
SELECT sequence, link FROM audit WHERE node = ? ORDER BY sequence DESC LIMIT 1

-- insert_audit: one more entry of a node's audit
INSERT INTO audit (node, sequence, at, name, principal, credential, address, subject, data, kid, link)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- list_audit: entries above a number in order of writing; {filters} are the store's fixed conditions
SELECT id, node, sequence, at, name, principal, credential, address, subject, data, kid, link
  FROM audit WHERE id > :after{filters} ORDER BY id LIMIT :limit

-- first_audit: the lowest number of an entry since a time; the sign keeps SQLite to the index of times
SELECT min(+id) FROM audit WHERE at >= :since

-- newest_audit: the highest number of an entry
SELECT coalesce(max(id), 0) FROM audit

-- audit_nodes: the nodes in order, one look into the index for each
WITH RECURSIVE found (node) AS (
    SELECT min(node) FROM audit
     UNION ALL
    SELECT (SELECT min(node) FROM audit WHERE node > found.node) FROM found WHERE found.node IS NOT NULL
)
SELECT node FROM found WHERE node IS NOT NULL

-- add_webhook: a new webhook, if its owner has fewer than so many; answers its number, or nothing
INSERT INTO webhook (id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, created_at, previous_kid,
                     previous_until, failing_since, disabled_at, reason, since)
SELECT :id, :owner, :url, :job_uuid, :pipeline_uuid, :events, :kid, :secret_number, :created_at, :previous_kid,
       :previous_until, :failing_since, :disabled_at, :reason, coalesce((SELECT max(id) FROM event), 0)
 WHERE (SELECT count(*) FROM webhook WHERE owner = :owner) < :most RETURNING number

-- find_webhook: the webhook of an id, with its number
SELECT number, id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, created_at, previous_kid,
       previous_until, failing_since, disabled_at, reason
  FROM webhook WHERE id = ?

-- list_webhooks: webhooks above a number in order of creation; {filters} are the store's fixed conditions
SELECT number, id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, created_at, previous_kid,
       previous_until, failing_since, disabled_at, reason
  FROM webhook WHERE number > :after{filters} ORDER BY number LIMIT :limit

-- newest_webhook: the highest number that a webhook was ever given
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'webhook'), 0)

-- change_webhook: everything in the row that changes; one that is enabled again listens from now on
UPDATE webhook SET url = :url, events = :events, kid = :kid, secret_number = :secret_number,
       previous_kid = :previous_kid, previous_until = :previous_until, failing_since = :failing_since,
       since = iif(disabled_at IS NOT NULL AND :disabled_at IS NULL, coalesce((SELECT max(id) FROM event), 0), since),
       disabled_at = :disabled_at, reason = :reason
 WHERE id = :id

-- delete_webhook: the webhook with its deliveries; answers its number
DELETE FROM webhook WHERE id = ? RETURNING number

-- bury_deliveries: what waits for a webhook is dead
UPDATE delivery SET dead_at = :at, next_at = NULL, last_error = coalesce(last_error, :reason)
 WHERE webhook = :webhook AND dead_at IS NULL

-- unfit_webhooks: those that go on without an active owner or a root key of a JSON array
SELECT number, webhook.id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, webhook.created_at,
       previous_kid, previous_until, failing_since, disabled_at, reason
  FROM webhook JOIN principal ON principal.id = webhook.owner
 WHERE disabled_at IS NULL AND (NOT active OR kid NOT IN (SELECT value FROM json_each(?)))

-- has_news: whether somebody listens and there are events that were not looked at
SELECT EXISTS (SELECT 1 FROM webhook WHERE disabled_at IS NULL)
   AND coalesce((SELECT max(id) FROM event), 0) > (SELECT position FROM feed WHERE name = 'webhooks')

-- feed_place: how far events were looked at or came before whoever listens now, and the newest
SELECT max(position, coalesce((SELECT min(since) FROM webhook WHERE disabled_at IS NULL), 0)),
       coalesce((SELECT max(id) FROM event), 0)
  FROM feed WHERE name = 'webhooks'

-- move_feed: events up to this number were looked at
UPDATE feed SET position = ? WHERE name = 'webhooks'

-- listened_news: events above a number up to another which somebody may want, with their webhook and its owner; the
-- joins are to be made in this order, so that what is looked at does not grow with what there is
WITH news AS MATERIALIZED (
    SELECT event.id, job, job.uuid AS job_uuid, job.pipeline_uuid, job.owner, event.sequence, name, at,
           event.uuid AS message
      FROM event CROSS JOIN job ON job.id = event.job
     WHERE event.id > :position AND event.id <= :upto AND credential <> 'import:datacatalog'
), heard AS (
    SELECT news.*, webhook.id AS webhook, webhook.owner AS listener, since
      FROM news CROSS JOIN webhook ON webhook.job_uuid = news.job_uuid AND disabled_at IS NULL
     UNION ALL
    SELECT news.*, webhook.id AS webhook, webhook.owner AS listener, since
      FROM news CROSS JOIN webhook ON webhook.pipeline_uuid = news.pipeline_uuid AND disabled_at IS NULL
)
SELECT heard.id, job, job_uuid, pipeline_uuid, heard.owner, sequence, name, at, message, webhook, principal.id, email,
       role, active, created_at, profile
  FROM heard CROSS JOIN principal ON principal.id = listener AND active
 WHERE since < heard.id ORDER BY heard.id LIMIT :limit

-- add_delivery: an event for a webhook; it is first in line if nothing waits for the same job
INSERT OR IGNORE INTO delivery (webhook, job, sequence, message, made_at, attempts, next_at)
VALUES (:webhook, :job, :sequence, :message, :at, 0,
        iif(EXISTS (SELECT 1 FROM delivery WHERE webhook = :webhook AND job IS :job AND dead_at IS NULL), NULL, :at))

-- waiting_ping: the ping that waits for a webhook
SELECT id FROM delivery WHERE webhook = ? AND job IS NULL AND dead_at IS NULL

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
   AND EXISTS (SELECT 1 FROM delivery WHERE webhook = waiting.id AND next_at IS NOT NULL AND next_at <= ?)

-- find_listener: a webhook that may be told something, with its number
SELECT number, webhook.id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, webhook.created_at,
       previous_kid, previous_until, failing_since, disabled_at, reason
  FROM webhook JOIN principal ON principal.id = webhook.owner WHERE webhook.id = ? AND disabled_at IS NULL AND active

-- due_deliveries: what can be sent to a webhook, longest due first
SELECT id FROM delivery WHERE webhook = ? AND next_at IS NOT NULL AND next_at <= ? ORDER BY next_at LIMIT ?

-- claim_delivery: take a delivery until then
UPDATE delivery SET next_at = ?, attempts = attempts + 1 WHERE id = ?

-- claimed_delivery: a delivery with what is sent
SELECT delivery.id, webhook, message, made_at, attempts, job.uuid, delivery.sequence, event.name, dead_at, last_error,
       job.pipeline_uuid, event.sequence, event.uuid, event.name, data, event.at, event.state, credential, key,
       event.kid, link, address
  FROM delivery LEFT JOIN job ON job.id = delivery.job
  LEFT JOIN event ON event.job = delivery.job AND event.sequence = delivery.sequence
 WHERE delivery.id = ?

-- end_delivery: a delivery was made, unless it was claimed anew; answers the number of its job's row
DELETE FROM delivery WHERE id = ? AND attempts = ? AND dead_at IS NULL RETURNING id, job

-- fail_delivery: the same for one that failed
UPDATE delivery SET next_at = :next_at, last_error = :error, dead_at = iif(:next_at IS NULL, :at, NULL)
 WHERE id = :id AND attempts = :attempts AND dead_at IS NULL RETURNING id, job

-- release_delivery: give a claim back
UPDATE delivery SET next_at = ?, attempts = attempts - 1 WHERE id = ? AND attempts = ? AND dead_at IS NULL

-- promote_delivery: the first that waits of a webhook and a job can be sent; answers its id
UPDATE delivery SET next_at = :at
 WHERE id = (SELECT id FROM delivery WHERE webhook = :webhook AND job IS :job AND dead_at IS NULL
              ORDER BY sequence, id LIMIT 1)
RETURNING id

-- note_failing: since when a webhook fails
UPDATE webhook SET failing_since = coalesce(failing_since, ?) WHERE id = ?

-- note_sound: a webhook fails no more; touches nothing if it did not
UPDATE webhook SET failing_since = NULL WHERE id = ? AND failing_since IS NOT NULL

-- count_deliveries: how many wait for a webhook, and how many are dead
SELECT (SELECT count(*) FROM delivery WHERE webhook = ?1 AND dead_at IS NULL),
       (SELECT count(*) FROM delivery WHERE webhook = ?1 AND dead_at IS NOT NULL)

-- list_dead: the dead deliveries of a webhook above an id
SELECT delivery.id, delivery.id, webhook, message, made_at, attempts, job.uuid, delivery.sequence, event.name, dead_at,
       last_error
  FROM delivery LEFT JOIN job ON job.id = delivery.job
  LEFT JOIN event ON event.job = delivery.job AND event.sequence = delivery.sequence
 WHERE webhook = :webhook AND dead_at IS NOT NULL AND delivery.id > :after ORDER BY delivery.id LIMIT :limit

-- newest_delivery: the highest id that a delivery was ever given
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'delivery'), 0)

-- revive_dead: dead deliveries, of a JSON array of ids or any, wait again behind what waits
UPDATE delivery SET dead_at = NULL, next_at = NULL, attempts = 0
 WHERE id IN (SELECT id FROM delivery WHERE webhook = :webhook AND dead_at IS NOT NULL AND dead_at <= :at
                 AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids))) ORDER BY id LIMIT :limit)
RETURNING id, job

-- has_first: whether one that waits of a webhook and a job is first in line
SELECT EXISTS (SELECT 1 FROM delivery WHERE webhook = ? AND job IS ? AND dead_at IS NULL AND +next_at IS NOT NULL)

-- forget_old: dead deliveries from before a time
DELETE FROM delivery WHERE dead_at < ?

-- crowded: webhooks with more deliveries than so many
SELECT webhook, count(*) FILTER (WHERE dead_at IS NULL), count(*) FILTER (WHERE dead_at IS NOT NULL)
  FROM delivery GROUP BY webhook HAVING count(*) > :most

-- forget_more: all dead deliveries of a webhook but the last so many
DELETE FROM delivery WHERE webhook = :webhook AND dead_at IS NOT NULL
   AND id <= (SELECT id FROM delivery WHERE webhook = :webhook AND dead_at IS NOT NULL ORDER BY id DESC
               LIMIT 1 OFFSET :most)

-- find_jobs: the jobs of some uuids (a JSON array), each with its row's number
SELECT id, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at, updated_at,
       child_of, archive_path, session, previous_serial, previous_until, previous_kid, archive_system, work
  FROM job WHERE uuid IN (SELECT value FROM json_each(?))

-- find_pipelines: the pipelines of some uuids (a JSON array), each with its number
SELECT id, uuid, name, body, owner, created_at, updated_at FROM pipeline
 WHERE uuid IN (SELECT value FROM json_each(?))

-- insert_imported: a new job under a number that was never given
INSERT INTO job (id, uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at,
                 updated_at, child_of, archive_path, session, previous_serial, previous_until, previous_kid, archive_system,
                 work)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- insert_legacy: what the old token of an imported job is checked with
INSERT INTO legacy_token (job, serial, kid, salt, fields, until) VALUES (?, ?, ?, ?, ?, ?)

-- find_legacy: the same, as long as the job has the serial and root key that it was imported with
SELECT legacy_token.serial, legacy_token.kid, salt, fields, until
  FROM job JOIN legacy_token ON legacy_token.job = job.id
 WHERE job.uuid = ? AND job.serial = legacy_token.serial AND job.kid = legacy_token.kid

-- has_legacy: whether an old token may live after a time
SELECT EXISTS (SELECT 1 FROM legacy_token WHERE until > ?)

-- count_legacy: how many old tokens live
SELECT count(*) FROM job JOIN legacy_token ON legacy_token.job = job.id
 WHERE until > ? AND job.serial = legacy_token.serial AND job.kid = legacy_token.kid

-- end_legacy: forget all old tokens, or those that ended by a time
DELETE FROM legacy_token WHERE :before IS NULL OR until <= :before RETURNING job

-- find_progress: how far the import of a file came
SELECT source, documents, digest, counts FROM import_progress WHERE source = ?

-- put_progress: it came further
INSERT INTO import_progress (source, documents, digest, counts) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (source) DO UPDATE SET documents = ?2, digest = ?3, counts = ?4

-- forget_progress: it has ended
DELETE FROM import_progress WHERE source = ?

-- find_this_job: the number of the job of a uuid that was made then
SELECT id FROM job WHERE uuid = ? AND created_at = ?

-- put_run: how far an indexing is; its sources stay those that it first came with
INSERT INTO file_run (job, run, begun_at, ended_at, total_files, total_bytes, files, bytes, error, sources)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job, run) DO UPDATE SET ended_at = excluded.ended_at, total_files = excluded.total_files,
       total_bytes = excluded.total_bytes, files = excluded.files, bytes = excluded.bytes, error = excluded.error

-- put_file: a file that was found; without a digest the one from before holds if nothing shows that the file changed
INSERT INTO file (job, run, seen, path, uuid, kind, level, size, modified_at, digest, sources, indexed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job, path) DO UPDATE SET run = excluded.run, seen = excluded.seen, uuid = excluded.uuid,
       kind = excluded.kind, level = excluded.level, size = excluded.size, modified_at = excluded.modified_at,
       digest = coalesce(excluded.digest,
                         iif(size = excluded.size AND modified_at = excluded.modified_at, digest, NULL)),
       sources = excluded.sources, indexed_at = excluded.indexed_at

-- see_file: a file that is there, though nobody asked for it this time
UPDATE file SET seen = ? WHERE job = ? AND path = ?

-- next_files: the next files of a job, and which run saw them last
SELECT id, seen FROM file WHERE job = ? AND id > ? ORDER BY id LIMIT ?

-- delete_file: one file
DELETE FROM file WHERE id = ?

-- delete_old_runs: runs before another one of which no file is left
DELETE FROM file_run WHERE job = :job AND run < :run
   AND NOT EXISTS (SELECT 1 FROM file WHERE file.job = file_run.job AND file.run = file_run.run)

-- find_run: a run of the job of a uuid, or its last one
SELECT run, begun_at, ended_at, total_files, total_bytes, files, bytes, error, sources
  FROM job CROSS JOIN file_run ON file_run.job = job.id
 WHERE job.uuid = :uuid AND (:run IS NULL OR run = :run) ORDER BY run DESC LIMIT 1

-- list_files: the files of a job above a number; {filters} are the store's fixed conditions
SELECT file.id, path, file.uuid, kind, level, size, modified_at, digest, sources, run, indexed_at
  FROM job CROSS JOIN file ON file.job = job.id
 WHERE job.uuid = :uuid AND file.id > :after{filters} ORDER BY file.id LIMIT :limit

-- newest_file: the highest number that a file was ever given
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'file'), 0)

-- find_orphan: a deleted job that left files behind
SELECT job FROM file_orphan LIMIT 1

-- delete_runs: all runs of a job
DELETE FROM file_run WHERE job = ?

-- forget_orphan: nothing of it is left
DELETE FROM file_orphan WHERE job = ?

-- touched: the events above a number that credentials (a JSON array of their public names) authorised, with their jobs;
-- {filters} are the store's fixed conditions
SELECT event.id, job.uuid, job.owner, event.sequence, event.uuid, event.name, data, at, event.state, credential, key,
       event.kid, link, address
  FROM event JOIN job ON job.id = event.job
 WHERE credential IN (SELECT value FROM json_each(:names)) AND event.id > :after{filters} ORDER BY event.id LIMIT :limit

-- newest_event: the highest number of an event
SELECT coalesce(max(id), 0) FROM event

-- add_platform: a new platform; answers its number, or nothing if the name or the id is taken
INSERT INTO platform (id, name, description, type, status, created_at, max_shots, max_duration_seconds, constraints, specs,
                      perfs, maintenance_start_at, maintenance_end_at, seen_at, retired_at, presence)
SELECT :id, :name, :description, :type, :status, :created_at, :max_shots, :max_duration_seconds, :constraints, :specs,
       :perfs, :maintenance_start_at, :maintenance_end_at, :seen_at, :retired_at, :presence
 WHERE NOT EXISTS (SELECT 1 FROM platform WHERE name = :name OR id = :id) RETURNING number

-- find_platform: the platform of a name
SELECT id, name, description, type, status, created_at, max_shots, max_duration_seconds, constraints, specs, perfs,
       maintenance_start_at, maintenance_end_at, seen_at, retired_at, presence
  FROM platform WHERE name = ?

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

-- work_job: an event of a job with work, whatever it changes of state and work
UPDATE job SET last_event = ?, sequence = ?, head = ?, updated_at = ?, state = ?, work = ? WHERE id = ?

-- insert_work: the place of a new job in the queue
INSERT INTO work (job, owner, platform, priority, created_at, token, job_group, process_id, payload,
                  results, state, seconds, leased_until)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- move_work: another place in the queue
UPDATE work SET results = ?, state = ?, seconds = ?, leased_until = ? WHERE job = ?

-- renew_work: the lease alone
UPDATE work SET leased_until = ? WHERE job = ?

-- next_waiting: the first that wait for a platform, with what their owners may have; the default is that of a profile
SELECT work.job, work.priority, work.owner FROM work INDEXED BY work_waiting
 WHERE platform = ? AND state = 'waiting' ORDER BY priority DESC, job LIMIT ?

-- next_owner: the next owner of whom something waits for a platform
SELECT owner FROM work INDEXED BY work_line WHERE platform = ? AND state = 'waiting' AND owner > ? ORDER BY owner LIMIT 1

-- first_of_owner: what waits first for a platform of an owner's
SELECT priority, job FROM work INDEXED BY work_line
 WHERE platform = ? AND owner = ? AND state = 'waiting' ORDER BY priority DESC, job LIMIT 1

-- may_have_more: whether somebody active has fewer jobs with workers than the profile says, else by default :most
SELECT count(*) FROM principal
 WHERE id = :owner AND active
   AND (SELECT count(*) FROM work WHERE owner = :owner AND state IN ('running', 'cancel_requested'))
       < coalesce(json_extract(profile, '$.max_concurrent_jobs'), :most)

-- job_uuid: the uuid of the job of a number
SELECT uuid FROM job WHERE id = ?

-- list_work: jobs with work above a number in order of creation; {filters} are the store's fixed conditions
SELECT job.id, uuid, lifecycle, job.state, last_event, sequence, head, kid, serial, job.owner, pipeline_uuid,
       job.created_at, updated_at, child_of, archive_path, session, previous_serial, previous_until, previous_kid,
       archive_system, job.work
  FROM work CROSS JOIN job ON job.id = work.job WHERE work.job > :after{filters} ORDER BY work.job LIMIT :limit

-- load_of: how many jobs of an owner wait, and are with workers
SELECT (SELECT count(*) FROM work WHERE owner = :owner AND state = 'waiting'),
       (SELECT count(*) FROM work WHERE owner = :owner AND state IN ('running', 'cancel_requested'))

-- queued_of: the same together, at most :most
SELECT count(*) FROM (
    SELECT 1 FROM work WHERE owner = :owner AND state IN ('waiting', 'running', 'cancel_requested') LIMIT :most
)

-- waiting_on: whether anything waits for one of some platforms (a JSON array)
SELECT EXISTS (SELECT 1 FROM json_each(:platforms) AS wanted CROSS JOIN work INDEXED BY work_waiting
                   ON work.platform = wanted.value AND work.state = 'waiting')

-- lapsed: the jobs whose lease ended by then
SELECT uuid FROM work INDEXED BY work_leased CROSS JOIN job ON job.id = work.job
 WHERE leased_until <= ? AND work.state IN ('running', 'cancel_requested') ORDER BY leased_until, work.job LIMIT ?

-- process_owner: whose the first job with a process id is
SELECT owner FROM work WHERE process_id = ? ORDER BY job LIMIT 1

-- usage: what was done with credentials (a JSON array of numbers), by platform
SELECT token, platform, count(*), total(seconds) FROM json_each(:tokens) AS wanted CROSS JOIN work
    ON work.token = wanted.value
 WHERE (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at < :until)
 GROUP BY token, platform ORDER BY token, platform

-- add_blob: a new blob
INSERT INTO blob (number, made_at) VALUES (?, ?)

-- add_chunk: one more chunk of a blob; answers its place, or nothing if the blob is gone
INSERT INTO blob_chunk (blob, place, chunk) SELECT number, ?2, ?3 FROM blob WHERE number = ?1 AND made_at > 0 RETURNING place

-- read_chunk: a chunk by its place
SELECT chunk FROM blob_chunk WHERE blob = ? AND place = ?

-- use_blob: so many works more name a blob
UPDATE blob SET uses = uses + ?2 WHERE number = ?1

-- find_blob: the number of a blob, if it is there, and whole
SELECT number FROM blob WHERE number = ? AND made_at > 0

-- unused_blobs: blobs made before a time which no work names
SELECT number FROM blob INDEXED BY blob_unused WHERE uses = 0 AND made_at < ? ORDER BY made_at LIMIT ?

-- delete_chunks: some chunks of a blob; answers their places
DELETE FROM blob_chunk WHERE rowid IN (SELECT rowid FROM blob_chunk WHERE blob = ? LIMIT ?) RETURNING place

-- break_blob: a blob of which a part is gone: the first to be swept, and nobody may name it any more
UPDATE blob SET made_at = 0 WHERE number = ?

-- drop_blob: the same of one that no work names
UPDATE blob SET made_at = 0 WHERE number = ? AND uses = 0

-- delete_blob: a blob of which no chunk is left
DELETE FROM blob WHERE number = ?
