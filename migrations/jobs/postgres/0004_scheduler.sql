-- What a queued job waits for, so that a claim looks only at jobs that may run: however many wait, it costs the same.
ALTER TABLE job ADD COLUMN parked_on TEXT COLLATE "C";      -- time, lock/NAME or kind/NAME; absent when the job is to be looked at
ALTER TABLE job ADD COLUMN effects_at BIGINT;               -- when its effects were committed: it cannot be cancelled any more
ALTER TABLE job ADD COLUMN cancel_at BIGINT;                -- when somebody asked a running job to stop
ALTER TABLE job ADD COLUMN cancel_by TEXT;                  -- who
CREATE INDEX job_failed ON job (error_code, id) WHERE state = 'failed';
DROP INDEX job_ready;
DROP INDEX job_waiting;
CREATE INDEX job_unparked ON job (priority DESC, id) WHERE state = 'queued' AND parked_on IS NULL;
CREATE INDEX job_parked ON job (parked_on, priority DESC, id) WHERE state = 'queued' AND parked_on IS NOT NULL;
CREATE INDEX job_due ON job (run_after) WHERE state = 'queued' AND parked_on = 'time';
CREATE INDEX job_kind_ended ON job (kind, finished_at) WHERE state = 'succeeded';

-- A job with several locks waits in the line of one; its place in the lines of the others is kept.
ALTER TABLE job_lock ADD COLUMN reserved BIGINT NOT NULL DEFAULT 0;
CREATE INDEX job_lock_reserved ON job_lock (job_id) WHERE reserved = 1;

-- What operators said about a kind of jobs.
CREATE TABLE job_kind (
    kind            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    paused_at       BIGINT,                                 -- absent while its jobs start
    paused_by       TEXT,
    max_running     BIGINT                                  -- in all processes together; absent without a limit
);
