-- What another analyst, prompt or playbook would have said of an alert, on the answers recorded for the live one. It
-- changes nothing.
CREATE TABLE shadow_verdicts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id INTEGER NOT NULL REFERENCES alerts (id),
    -- the live verdict that it stands beside
    verdict_id INTEGER NOT NULL REFERENCES verdicts (id),
    -- what the shadow is: a digest of its settings and data
    setting TEXT NOT NULL CHECK (setting <> ''),
    kind TEXT NOT NULL CHECK (kind IN ('true_positive', 'benign_positive', 'false_positive', 'suspicious', 'undetermined', 'duplicate')),
    probability REAL NOT NULL,
    close_allowed INTEGER NOT NULL CHECK (close_allowed IN (0, 1)),
    model_turns INTEGER NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (verdict_id, setting)
) STRICT;
CREATE INDEX shadow_verdicts_by_setting ON shadow_verdicts (setting, at);
