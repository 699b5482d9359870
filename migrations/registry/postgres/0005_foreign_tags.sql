-- Tags on a remote that lead to another commit than ours, with spaces between them.
ALTER TABLE push_state ADD COLUMN foreign_tags TEXT;
