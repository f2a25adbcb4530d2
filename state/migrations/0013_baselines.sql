-- What a named query answered about an entity, kept so that it need not be asked again for each alert. It is what a machine
-- found, not what a person said. A round that brings no whole answer leaves the last one and says why.
CREATE TABLE baselines (
    query TEXT NOT NULL CHECK (query <> ''),
    -- the entity as alerts write it
    value TEXT NOT NULL CHECK (value <> ''),
    -- tool and dialect that the answer is of
    asked_of TEXT NOT NULL,
    -- the first and the last moment that was looked at, when it was answered, and the rows; null before the first whole answer
    since INTEGER,
    until INTEGER,
    computed INTEGER,
    answered TEXT CHECK (json_valid(answered)),
    tried INTEGER NOT NULL,
    -- why the last attempt brought no whole answer; null when it did
    stale TEXT CHECK (stale <> ''),
    PRIMARY KEY (query, value),
    CHECK ((computed IS NULL) = (answered IS NULL) AND (computed IS NULL) = (since IS NULL) AND (computed IS NULL) = (until IS NULL)),
    CHECK (computed IS NOT NULL OR stale IS NOT NULL),
    CHECK (since <= until AND until <= computed)
) STRICT;
CREATE INDEX baselines_by_value ON baselines (value);
