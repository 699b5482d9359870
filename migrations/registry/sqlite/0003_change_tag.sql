-- Tags that a change puts on its commit: the repository of package sets for older clients has them.
CREATE TABLE change_tag (
    seq             INTEGER NOT NULL REFERENCES change (seq),
    name            TEXT    NOT NULL,
    PRIMARY KEY (seq, name)
);
