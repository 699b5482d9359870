-- How far each repository was pushed to its remote. Times are milliseconds since 1970, UTC.
CREATE TABLE push_state (
    repository      TEXT    NOT NULL PRIMARY KEY,
    commit_id       TEXT    NOT NULL,                       -- the last commit that the remote is known to have from us
    change_seq      BIGINT  NOT NULL,                       -- the change it holds
    pending_commit  TEXT,                                   -- what the last push tried to bring there
    pending_seq     BIGINT ,
    pushed_at       BIGINT ,
    foreign_commits BIGINT  NOT NULL DEFAULT 0,             -- commits on the remote that are not ours
    problem         TEXT,                                   -- why the last push failed
    problem_since   BIGINT 
);
