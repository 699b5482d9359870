-- The part of a log that was moved out of job_log: one row for each blob of consecutive lines. What is in job_log follows it.
CREATE TABLE job_log_archive (
    job_id          TEXT COLLATE "C"    NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    first_seq       BIGINT NOT NULL,
    last_seq        BIGINT NOT NULL,
    first_at        BIGINT NOT NULL,
    last_at         BIGINT NOT NULL,
    max_level       BIGINT NOT NULL,
    digest          TEXT COLLATE "C",                       -- of the blob, in the folder logs of the storage; absent once the lines were removed
    PRIMARY KEY (job_id, last_seq)
);
CREATE INDEX job_log_archive_digest ON job_log_archive (digest) WHERE digest IS NOT NULL;
