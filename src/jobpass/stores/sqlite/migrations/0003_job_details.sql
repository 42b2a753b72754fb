-- What a job is made with beside what its events need, and the links by which it is found.

ALTER TABLE job ADD COLUMN archive_system TEXT;
CREATE INDEX job_archive ON job (archive_system, archive_path) WHERE archive_system IS NOT NULL;

CREATE TABLE job_detail (
    job              INTEGER PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    generated_by     TEXT NOT NULL, -- JSON arrays
    acted_on         TEXT NOT NULL,
    acted_using      TEXT NOT NULL,
    archive_patterns BLOB NOT NULL,
    product_patterns BLOB NOT NULL,
    attributes       BLOB NOT NULL  -- JSON object
);

CREATE TABLE job_link (
    job      INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    relation TEXT    NOT NULL,
    target   TEXT    NOT NULL,
    PRIMARY KEY (target, relation, job)
) WITHOUT ROWID;
CREATE INDEX job_link_job ON job_link (job);

-- Jobs from before have parents, and were made by their pipeline.
INSERT INTO job_detail
SELECT id, json_array(pipeline_uuid), '[]', '[]', CAST('[]' AS BLOB), CAST('[]' AS BLOB), CAST('{}' AS BLOB) FROM job;
INSERT INTO job_link SELECT id, 'generated_by', pipeline_uuid FROM job;
INSERT OR IGNORE INTO job_link SELECT job.id, 'child_of', parent.value FROM job, json_each(job.child_of) AS parent;
