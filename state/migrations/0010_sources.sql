-- Since when a source is configured to be polled, and until when it was: one that never answered is a gap, one that was
-- taken out of the settings is none any more. `within` is how long it may go without a poll; times in microseconds.
CREATE TABLE polled_sources (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL CHECK (source <> ''),
    since INTEGER NOT NULL,
    until INTEGER CHECK (until >= since),
    within INTEGER NOT NULL CHECK (within > 0)
) STRICT;
CREATE UNIQUE INDEX polled_sources_now ON polled_sources (source) WHERE until IS NULL;
INSERT INTO polled_sources (source, since, within) SELECT source, min(since), max(within) FROM poll_spans GROUP BY source;
