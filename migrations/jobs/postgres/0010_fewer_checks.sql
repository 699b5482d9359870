-- Whoever writes a line or a lock has its job's row in hand, fenced, and job rows are never removed: PostgreSQL looked each one up again, which cost a third of
-- what storing it did.
ALTER TABLE job_lock DROP CONSTRAINT job_lock_job_id_fkey;
ALTER TABLE job_log DROP CONSTRAINT job_log_job_id_fkey;
