-- The steps of jobs, beside their logs: a step has the lines from its first one to the next step's. Logs that move to the archive leave them here.
CREATE TABLE job_step (
    job_id          TEXT COLLATE "C" NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    first_seq       BIGINT  NOT NULL,                       -- its first line
    attempt         BIGINT  NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    started_at      BIGINT  NOT NULL,
    before_at       BIGINT  NOT NULL,                       -- of the last line before its attempt: a step that broke off ended then
    PRIMARY KEY (job_id, first_seq)
);
