-- What people look packages up by. Triggers keep it true, whichever program writes: an older one that still runs knows nothing of these tables.
CREATE TABLE package_summary (
    name            TEXT    NOT NULL PRIMARY KEY,
    version         TEXT    NOT NULL,                       -- the highest that can be installed
    published_at    BIGINT  NOT NULL,
    license         TEXT    NOT NULL,
    description     TEXT    NOT NULL                        -- empty when it has none
);

-- Who depends on whom: one row for each direct dependency of each version in the index.
CREATE TABLE package_dependency (
    dependency      TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    range           TEXT    NOT NULL,
    PRIMARY KEY (dependency, name, version)
);
CREATE INDEX package_dependency_of ON package_dependency (name, version);
CREATE INDEX package_version_published ON package_version (published_at);

-- The manifest as JSON that PostgreSQL reads: it refuses an escaped NUL, which a description may hold.
CREATE FUNCTION readable_manifest(manifest TEXT) RETURNS JSON LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(manifest, '(?<!\\)((?:\\\\)*)\\u0000', '\1', 'g')::json
$$;

CREATE FUNCTION package_version_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM package_dependency WHERE name = NEW.name AND version = NEW.version;
    INSERT INTO package_dependency (dependency, name, version, range)
        SELECT d.key, NEW.name, NEW.version, d.value
        FROM json_each_text(readable_manifest(NEW.manifest) -> 'dependencies') d;
    DELETE FROM package_summary WHERE name = NEW.name;
    INSERT INTO package_summary (name, version, published_at, license, description)
        SELECT name, version, published_at, manifest ->> 'license', coalesce(manifest ->> 'description', '')
        FROM (SELECT name, version, published_at, readable_manifest(manifest) AS manifest
              FROM package_version
              WHERE name = NEW.name AND manifest IS NOT NULL AND hash IS NOT NULL
              ORDER BY major DESC, minor DESC, patch DESC
              LIMIT 1) AS latest;
    RETURN NULL;
END
$$;
CREATE TRIGGER package_version_written AFTER UPDATE OF manifest, hash ON package_version
    FOR EACH ROW EXECUTE FUNCTION package_version_written();

INSERT INTO package_dependency (dependency, name, version, range)
    SELECT d.key, v.name, v.version, d.value
    FROM package_version v, json_each_text(readable_manifest(v.manifest) -> 'dependencies') d
    WHERE v.manifest IS NOT NULL;
INSERT INTO package_summary (name, version, published_at, license, description)
    SELECT name, version, published_at, readable_manifest(manifest) ->> 'license',
           coalesce(readable_manifest(manifest) ->> 'description', '')
    FROM (SELECT name, version, published_at, manifest,
                 row_number() OVER (PARTITION BY name ORDER BY major DESC, minor DESC, patch DESC) AS place
          FROM package_version WHERE manifest IS NOT NULL AND hash IS NOT NULL) AS ranked
    WHERE place = 1;
