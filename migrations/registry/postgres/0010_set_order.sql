-- The newest sets are found without looking at all of them.
CREATE INDEX package_set_order ON package_set (major, minor, patch);
