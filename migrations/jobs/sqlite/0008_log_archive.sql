-- The part of a log that was moved out of job_log: one row for each blob of consecutive lines. What is in job_log follows it.
CREATE TABLE job_log_archive (
    job_id          TEXT    NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    first_seq       INTEGER NOT NULL,
    last_seq        INTEGER NOT NULL,
    first_at        INTEGER NOT NULL,
    last_at         INTEGER NOT NULL,
    max_level       INTEGER NOT NULL,
    digest          TEXT,                                   -- of the blob, in the folder logs of the storage; absent once the lines were removed
    PRIMARY KEY (job_id, last_seq)
) WITHOUT ROWID;
CREATE INDEX job_log_archive_digest ON job_log_archive (digest) WHERE digest IS NOT NULL;
