-- What lists of jobs are filtered by, each in the order of the list: a filter that few jobs pass reads few.
CREATE INDEX job_package ON job (package_name, created_at, id) WHERE package_name IS NOT NULL;
CREATE INDEX job_parent ON job (parent_id, created_at, id) WHERE parent_id IS NOT NULL;
CREATE INDEX job_who ON job ((actor ->> 'name'), created_at, id) WHERE actor IS NOT NULL;
CREATE INDEX job_kind_created ON job (kind, created_at, id);
CREATE INDEX job_unfinished ON job (created_at, id) WHERE state IN ('queued', 'running');
CREATE INDEX job_unsuccessful ON job (created_at, id) WHERE state IN ('failed', 'cancelled');
