-- What correlation reads of each alert, and what people have split.

-- One row for each trusted entity that an alert names, with who acted in it and where.
CREATE TABLE mentions (
    alert_id INTEGER NOT NULL REFERENCES alerts (id),
    part TEXT NOT NULL CHECK (part IN ('user', 'host', 'source', 'destination', 'target', 'resource')),
    -- kind and value, lower case: `host:web-1`
    key TEXT NOT NULL CHECK (key <> ''),
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    place TEXT NOT NULL,
    PRIMARY KEY (alert_id, part, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_by_key ON mentions (key, at, actor, place);

CREATE TABLE splits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    from_case INTEGER NOT NULL REFERENCES cases (id),
    to_case INTEGER NOT NULL UNIQUE REFERENCES cases (id),
    split_by TEXT NOT NULL CHECK (split_by <> ''),
    why TEXT NOT NULL,
    CHECK (from_case <> to_case)
) STRICT;
CREATE TRIGGER splits_stay_as_made BEFORE UPDATE ON splits
BEGIN SELECT RAISE(ABORT, 'splits are append-only'); END;
CREATE TRIGGER splits_stay BEFORE DELETE ON splits
BEGIN SELECT RAISE(ABORT, 'splits are append-only'); END;

-- What a person has kept out of a case: alerts of this rule by this actor do not join it again.
CREATE TABLE kept_apart (
    case_id INTEGER NOT NULL REFERENCES cases (id),
    source TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (case_id, source, rule_id, actor)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER kept_apart_stays BEFORE DELETE ON kept_apart
BEGIN SELECT RAISE(ABORT, 'what a person has kept apart stays apart'); END;

-- An alert leaves its case by a recorded split and in no other way.
DROP TRIGGER alerts_keep_their_case;
CREATE TRIGGER alerts_keep_their_case BEFORE UPDATE OF case_id ON alerts
WHEN OLD.case_id IS NOT NULL AND NEW.case_id IS NOT OLD.case_id
    AND NOT EXISTS (SELECT 1 FROM splits WHERE from_case = OLD.case_id AND to_case = NEW.case_id)
BEGIN SELECT RAISE(ABORT, 'an alert stays in its case unless a person splits it'); END;
