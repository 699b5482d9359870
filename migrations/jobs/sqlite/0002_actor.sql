-- Who asked for a job, and which compiler it is about; how long a waiting worker may sleep.
ALTER TABLE job ADD COLUMN actor TEXT;                      -- JSON: role, name and key; absent when anybody may ask
ALTER TABLE job ADD COLUMN compiler TEXT;                   -- of matrix jobs
CREATE INDEX job_waiting ON job (run_after) WHERE state = 'queued';
