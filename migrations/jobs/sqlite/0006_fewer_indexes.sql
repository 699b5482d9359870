-- Each change of a job's state writes every index that it is in, so a job is in few. Ids sort by creation: no index needs the time beside them.
DROP INDEX job_created;
DROP INDEX job_dedup;
DROP INDEX job_package;
DROP INDEX job_parent;
DROP INDEX job_who;
DROP INDEX job_kind_created;
DROP INDEX job_unfinished;
DROP INDEX job_unsuccessful;
CREATE INDEX job_dedup_ended ON job (dedup_key, id) WHERE state IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX job_package ON job (package_name, id) WHERE package_name IS NOT NULL;
CREATE INDEX job_parent ON job (parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX job_who ON job ((actor ->> 'name'), id) WHERE actor IS NOT NULL;
CREATE INDEX job_unfinished ON job (id) WHERE state IN ('queued', 'running');
CREATE INDEX job_unsuccessful ON job (id) WHERE state IN ('failed', 'cancelled');
