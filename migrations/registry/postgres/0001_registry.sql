-- The published state of the registry. Times are milliseconds since 1970, UTC; versions sort by their three numbers.
CREATE TABLE package (
    name            TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    location        TEXT    NOT NULL,                       -- JSON
    owners          TEXT                                    -- JSON array, absent when nobody is named
);

CREATE TABLE package_version (
    name            TEXT COLLATE "C"    NOT NULL REFERENCES package (name),
    version         TEXT COLLATE "C"    NOT NULL,
    major           BIGINT NOT NULL,
    minor           BIGINT NOT NULL,
    patch           BIGINT NOT NULL,
    published_at    BIGINT NOT NULL,
    bytes           BIGINT,                                -- size and SHA-256 of the tarball; absent once unpublished
    hash            TEXT,
    compilers       TEXT,                                   -- JSON array
    ref             TEXT,                                   -- as metadata files show it: deprecated, empty
    manifest        TEXT,                                   -- the index line; absent when the index has none
    unpublished_at  BIGINT,
    unpublished_reason TEXT,
    PRIMARY KEY (name, version),
    CHECK ((unpublished_at IS NULL) = (hash IS NOT NULL))
);
CREATE INDEX package_version_hash ON package_version (hash);

CREATE TABLE package_set (
    version         TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    major           BIGINT NOT NULL,
    minor           BIGINT NOT NULL,
    patch           BIGINT NOT NULL,
    compiler        TEXT    NOT NULL,
    published       TEXT    NOT NULL,                       -- date
    packages        TEXT    NOT NULL                        -- JSON object
);

-- The change feed: dense, in commit order; the git repositories are a pure function of it.
CREATE TABLE change (
    seq             BIGINT NOT NULL PRIMARY KEY,
    repository      TEXT COLLATE "C"    NOT NULL,                       -- registry or registry-index
    at              BIGINT NOT NULL,
    author          TEXT    NOT NULL,                       -- Name <mail>
    message         TEXT    NOT NULL,
    job_id          TEXT
);
CREATE INDEX change_repository ON change (repository, seq);

CREATE TABLE change_file (
    seq             BIGINT NOT NULL REFERENCES change (seq),
    path            TEXT COLLATE "C"    NOT NULL,
    content         TEXT,                                   -- absent: the file is deleted
    PRIMARY KEY (seq, path)
);

-- The history an imported repository had before, kept as a git bundle in blob storage.
CREATE TABLE repository_base (
    repository      TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    commit_id       TEXT    NOT NULL,
    bundle          TEXT    NOT NULL                        -- digest
);

-- Where tarballs are fetched that are not in blob storage: one row, or none.
CREATE TABLE tarball_source (
    url             TEXT    NOT NULL PRIMARY KEY
);
