-- The steps of jobs, beside their logs: a step has the lines from its first one to the next step's. Logs that move to the archive leave them here.
CREATE TABLE job_step (
    job_id          TEXT    NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    first_seq       INTEGER NOT NULL,                       -- its first line
    attempt         INTEGER NOT NULL,
    name            TEXT    NOT NULL,
    started_at      INTEGER NOT NULL,
    before_at       INTEGER NOT NULL,                       -- of the last line before its attempt: a step that broke off ended then
    PRIMARY KEY (job_id, first_seq)
) WITHOUT ROWID;
