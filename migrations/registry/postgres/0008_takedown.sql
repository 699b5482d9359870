-- Notices that something in the registry infringes a copyright, each a case that trustees answer. Times are milliseconds since 1970, UTC.
CREATE TABLE takedown_case (
    id              TEXT    NOT NULL PRIMARY KEY,           -- UUID v4: whoever knows it may read the answer
    digest          TEXT    NOT NULL,                       -- of the notice: the same one sent again is the same case
    created_at      BIGINT  NOT NULL,
    notice          TEXT    NOT NULL,                       -- JSON
    decision        TEXT    CHECK (decision IN ('removed', 'rejected', 'needs-more')),
    answer          TEXT,                                   -- for whoever sent it; absent while the case is open
    answered_at     BIGINT,
    answered_by     TEXT
);
CREATE INDEX takedown_case_created ON takedown_case (created_at, id);
CREATE INDEX takedown_case_digest ON takedown_case (digest);
