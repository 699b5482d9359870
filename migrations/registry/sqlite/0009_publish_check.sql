-- What dry runs found out, so that publishing the same need not find it out again. Times are milliseconds since 1970, UTC.
CREATE TABLE publish_check (
    name            TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    commit_id       TEXT    NOT NULL,                       -- the commit that was checked
    manifest_digest TEXT    NOT NULL,
    manifest        TEXT    NOT NULL,                       -- JSON; it names the location and the ref
    inputs          TEXT    NOT NULL,                       -- JSON: compiler, dependencies and whatever else the result rests on
    tarball         TEXT    NOT NULL,                       -- digest of a blob in the folder of checks
    job_id          TEXT    NOT NULL,
    checked_at      INTEGER NOT NULL,
    PRIMARY KEY (name, version, commit_id, manifest_digest)
);
CREATE INDEX publish_check_tarball ON publish_check (tarball);
CREATE INDEX publish_check_checked ON publish_check (checked_at);
