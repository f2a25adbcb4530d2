-- What people said of alerts, and what was known of each alert when they said so. The daemon's own verdicts are not in
-- here: it does not teach itself.
CREATE TABLE feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id INTEGER NOT NULL REFERENCES alerts (id),
    kind TEXT NOT NULL CHECK (kind IN ('true_positive', 'benign_positive', 'false_positive', 'suspicious', 'undetermined', 'duplicate')),
    given_by TEXT NOT NULL CHECK (given_by <> ''),
    channel TEXT NOT NULL CHECK (channel <> ''),
    note TEXT NOT NULL,
    source TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    -- trusted principal; empty when the alert has none
    principal TEXT NOT NULL,
    -- digests of the fields and of the whole of its events, see agent/src/precedent; empty without a principal
    shape TEXT NOT NULL,
    content TEXT NOT NULL,
    -- ids of the signals that spoke for malicious
    signals TEXT NOT NULL CHECK (json_valid(signals)),
    alert_time INTEGER NOT NULL,
    at INTEGER NOT NULL,
    superseded INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1))
) STRICT;
-- The last word on an alert counts.
CREATE UNIQUE INDEX feedback_in_force ON feedback (alert_id) WHERE superseded = 0;
CREATE INDEX feedback_by_rule ON feedback (source, rule_id, alert_time) WHERE superseded = 0;
CREATE INDEX alerts_by_source_alert_id ON alerts (source_alert_id);
CREATE INDEX feedback_by_time ON feedback (at, id);
CREATE TRIGGER feedback_stays_as_given BEFORE UPDATE OF
    id, alert_id, kind, given_by, channel, note, source, rule_id, principal, shape, content,
    signals, alert_time, at ON feedback
BEGIN SELECT RAISE(ABORT, 'feedback is append-only'); END;
CREATE TRIGGER feedback_stays_superseded BEFORE UPDATE OF superseded ON feedback WHEN NEW.superseded < OLD.superseded
BEGIN SELECT RAISE(ABORT, 'superseded feedback stays superseded'); END;
CREATE TRIGGER feedback_stays BEFORE DELETE ON feedback
BEGIN SELECT RAISE(ABORT, 'feedback is append-only'); END;
