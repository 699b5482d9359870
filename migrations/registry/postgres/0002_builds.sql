-- With which compilers each version was tried, and what came of it. Times are milliseconds since 1970, UTC.
CREATE TABLE build_result (
    name            TEXT COLLATE "C" NOT NULL,
    version         TEXT    NOT NULL,
    compiler        TEXT    NOT NULL,
    outcome         TEXT    NOT NULL CHECK (outcome IN ('compiles', 'fails', 'no-plan')),
    error           TEXT,                                   -- the first error, for people
    job_id          TEXT    NOT NULL,                       -- where the rest of it is
    at              BIGINT  NOT NULL,
    PRIMARY KEY (name, version, compiler)
);

-- Packages whose rows have changed since their metadata file was committed: matrix results are committed in batches.
CREATE TABLE metadata_pending (
    name            TEXT COLLATE "C" NOT NULL PRIMARY KEY
);
