-- Whoever writes a line or a lock has its job's row in hand, fenced, and whoever removes a job removes these first: PostgreSQL looked each row up again,
-- which cost a third of what storing it did.
ALTER TABLE job_lock DROP CONSTRAINT job_lock_job_id_fkey;
ALTER TABLE job_log DROP CONSTRAINT job_log_job_id_fkey;
