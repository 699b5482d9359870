-- The published state of the registry. Times are milliseconds since 1970, UTC; versions sort by their three numbers.
CREATE TABLE package (
    name            TEXT    NOT NULL PRIMARY KEY,
    location        TEXT    NOT NULL,                       -- JSON
    owners          TEXT                                    -- JSON array, absent when nobody is named
);

CREATE TABLE package_version (
    name            TEXT    NOT NULL REFERENCES package (name),
    version         TEXT    NOT NULL,
    major           INTEGER NOT NULL,
    minor           INTEGER NOT NULL,
    patch           INTEGER NOT NULL,
    published_at    INTEGER NOT NULL,
    bytes           INTEGER,                                -- size and SHA-256 of the tarball; absent once unpublished
    hash            TEXT,
    compilers       TEXT,                                   -- JSON array
    ref             TEXT,                                   -- as metadata files show it: deprecated, empty
    manifest        TEXT,                                   -- the index line; absent when the index has none
    unpublished_at  INTEGER,
    unpublished_reason TEXT,
    PRIMARY KEY (name, version),
    CHECK ((unpublished_at IS NULL) = (hash IS NOT NULL))
);
CREATE INDEX package_version_hash ON package_version (hash);

CREATE TABLE package_set (
    version         TEXT    NOT NULL PRIMARY KEY,
    major           INTEGER NOT NULL,
    minor           INTEGER NOT NULL,
    patch           INTEGER NOT NULL,
    compiler        TEXT    NOT NULL,
    published       TEXT    NOT NULL,                       -- date
    packages        TEXT    NOT NULL                        -- JSON object
);

-- The change feed: dense, in commit order; the git repositories are a pure function of it.
CREATE TABLE change (
    seq             INTEGER NOT NULL PRIMARY KEY,
    repository      TEXT    NOT NULL,                       -- registry or registry-index
    at              INTEGER NOT NULL,
    author          TEXT    NOT NULL,                       -- Name <mail>
    message         TEXT    NOT NULL,
    job_id          TEXT
);
CREATE INDEX change_repository ON change (repository, seq);

CREATE TABLE change_file (
    seq             INTEGER NOT NULL REFERENCES change (seq),
    path            TEXT    NOT NULL,
    content         TEXT,                                   -- absent: the file is deleted
    PRIMARY KEY (seq, path)
);

-- The history an imported repository had before, kept as a git bundle in blob storage.
CREATE TABLE repository_base (
    repository      TEXT    NOT NULL PRIMARY KEY,
    commit_id       TEXT    NOT NULL,
    bundle          TEXT    NOT NULL                        -- digest
);

-- Where tarballs are fetched that are not in blob storage: one row, or none.
CREATE TABLE tarball_source (
    url             TEXT    NOT NULL PRIMARY KEY
);
