-- Blobs without a row: those that are about to get one, and those that are being removed. Times are milliseconds since 1970, UTC.
CREATE TABLE blob_hold (
    digest          TEXT    NOT NULL PRIMARY KEY,
    state           TEXT    NOT NULL CHECK (state IN ('held', 'condemned')),
    at              BIGINT  NOT NULL
);
