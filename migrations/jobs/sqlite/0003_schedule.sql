-- Which ticks of which task have become a job. Times are milliseconds since 1970, UTC.
CREATE TABLE schedule_tick (
    task            TEXT    NOT NULL,
    tick            INTEGER NOT NULL,                       -- when it was due
    job_id          TEXT,                                   -- absent for the first tick seen, which only starts the count
    PRIMARY KEY (task, tick)
);
