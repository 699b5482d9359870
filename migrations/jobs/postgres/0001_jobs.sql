-- Jobs, the locks they need, and what they logged. Times are milliseconds since 1970, UTC.
CREATE TABLE job (
    id              TEXT COLLATE "C"    NOT NULL PRIMARY KEY,           -- UUID v7, so ids sort by creation
    kind            TEXT    NOT NULL,                       -- publish, unpublish, …
    state           TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    priority        BIGINT NOT NULL,                       -- higher runs first
    payload         TEXT    NOT NULL,                       -- JSON, as accepted
    package_name    TEXT,
    package_version TEXT,
    dedup_key       TEXT COLLATE "C"    NOT NULL,                       -- equal keys are the same operation
    attempt         BIGINT NOT NULL DEFAULT 0,             -- raised by each claim: the fence
    resets          BIGINT NOT NULL DEFAULT 0,             -- attempts whose lease lapsed
    retries         BIGINT NOT NULL DEFAULT 0,             -- attempts that ended with a service unavailable
    run_after       BIGINT NOT NULL,
    lease_by        TEXT,
    lease_until     BIGINT,
    created_at      BIGINT NOT NULL,
    started_at      BIGINT,                                -- of the current attempt
    finished_at     BIGINT,
    error_code      TEXT,
    error_detail    TEXT,
    parent_id       TEXT,
    log_seq         BIGINT NOT NULL DEFAULT 0,             -- last line given out
    log_at          BIGINT NOT NULL DEFAULT 0              -- its time
);
CREATE UNIQUE INDEX job_active ON job (dedup_key) WHERE state IN ('queued', 'running');
CREATE INDEX job_ready ON job (priority DESC, id) WHERE state = 'queued';
CREATE INDEX job_lease ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_created ON job (created_at, id);
CREATE INDEX job_dedup ON job (dedup_key, id);

CREATE TABLE job_lock (
    name            TEXT COLLATE "C"    NOT NULL,                       -- package/prelude, package-sets, …
    job_id          TEXT COLLATE "C"    NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    PRIMARY KEY (name, job_id)
);
CREATE INDEX job_lock_job ON job_lock (job_id);

-- One row holds the lines of one append: several times cheaper to write and keep than a row per line.
CREATE TABLE job_log (
    job_id          TEXT COLLATE "C"    NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    first_seq       BIGINT NOT NULL,
    last_seq        BIGINT NOT NULL,
    first_at        BIGINT NOT NULL,
    last_at         BIGINT NOT NULL,
    max_level       BIGINT NOT NULL,
    lines           TEXT    NOT NULL,                       -- JSON array of [time, level, message], dense from first_seq
    PRIMARY KEY (job_id, last_seq)
);
CREATE INDEX job_log_time ON job_log (job_id, last_at);
