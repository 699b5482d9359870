-- Jobs, the locks they need, and what they logged. Times are milliseconds since 1970, UTC.
CREATE TABLE job (
    id              TEXT    NOT NULL PRIMARY KEY,           -- UUID v7, so ids sort by creation
    kind            TEXT    NOT NULL,                       -- publish, unpublish, …
    state           TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    priority        INTEGER NOT NULL,                       -- higher runs first
    payload         TEXT    NOT NULL,                       -- JSON, as accepted
    package_name    TEXT,
    package_version TEXT,
    dedup_key       TEXT    NOT NULL,                       -- equal keys are the same operation
    attempt         INTEGER NOT NULL DEFAULT 0,             -- raised by each claim: the fence
    resets          INTEGER NOT NULL DEFAULT 0,             -- attempts whose lease lapsed
    retries         INTEGER NOT NULL DEFAULT 0,             -- attempts that ended with a service unavailable
    run_after       INTEGER NOT NULL,
    lease_by        TEXT,
    lease_until     INTEGER,
    created_at      INTEGER NOT NULL,
    started_at      INTEGER,                                -- of the current attempt
    finished_at     INTEGER,
    error_code      TEXT,
    error_detail    TEXT,
    parent_id       TEXT,
    log_seq         INTEGER NOT NULL DEFAULT 0,             -- last line given out
    log_at          INTEGER NOT NULL DEFAULT 0              -- its time
);
CREATE UNIQUE INDEX job_active ON job (dedup_key) WHERE state IN ('queued', 'running');
CREATE INDEX job_ready ON job (priority DESC, id) WHERE state = 'queued';
CREATE INDEX job_lease ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_created ON job (created_at, id);
CREATE INDEX job_dedup ON job (dedup_key, id);

CREATE TABLE job_lock (
    name            TEXT    NOT NULL,                       -- package/prelude, package-sets, …
    job_id          TEXT    NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    PRIMARY KEY (name, job_id)
) WITHOUT ROWID;
CREATE INDEX job_lock_job ON job_lock (job_id);

-- One row holds the lines of one append: several times cheaper to write and keep than a row per line.
CREATE TABLE job_log (
    job_id          TEXT    NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    first_seq       INTEGER NOT NULL,
    last_seq        INTEGER NOT NULL,
    first_at        INTEGER NOT NULL,
    last_at         INTEGER NOT NULL,
    max_level       INTEGER NOT NULL,
    lines           TEXT    NOT NULL,                       -- JSON array of [time, level, message], dense from first_seq
    PRIMARY KEY (job_id, last_seq)
) WITHOUT ROWID;
CREATE INDEX job_log_time ON job_log (job_id, last_at);
