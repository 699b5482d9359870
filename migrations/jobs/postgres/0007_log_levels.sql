-- Which rows of a log hold a line that is more than the story of the job: a page of warnings or errors reads only these.
CREATE INDEX job_log_loud ON job_log (job_id, last_seq) WHERE max_level >= 20;
