-- What came from a seed system beside the jobs themselves; no answer ever shows it.

CREATE TABLE legacy_token (
    job    INTEGER PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    serial INTEGER NOT NULL, -- the job's own at the import, and its root key: another one ends the old token, too
    kid    TEXT    NOT NULL,
    salt   TEXT    NOT NULL,
    fields TEXT    NOT NULL, -- the text that the old algorithm hashed after the salt
    until  INTEGER NOT NULL
);
CREATE INDEX legacy_token_until ON legacy_token (until); -- whether any is left is asked without a good token

-- How far an import came that has not ended; written together with what it brought.
CREATE TABLE import_progress (
    source    TEXT    PRIMARY KEY, -- the file's name
    documents INTEGER NOT NULL,    -- how many of its first documents are done
    digest    BLOB    NOT NULL,    -- SHA-256 of these documents: a file that begins otherwise is another one
    counts    BLOB    NOT NULL     -- JSON object
);
