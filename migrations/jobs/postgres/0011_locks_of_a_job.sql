-- The locks of a job are in one index, whole. PostgreSQL took the primary key for that, all of which it then reads for each job, while it believed the table
-- to be empty: it had looked at it while the first rows came. Of two indexes that seem equally good it takes the younger one.
CREATE INDEX job_lock_of_job ON job_lock (job_id, name);
DROP INDEX job_lock_job;
