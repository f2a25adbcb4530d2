-- What the weekly metrics need and nothing else kept: when sources were really polled, which closes were drawn for review,
-- which periods were exported.

-- Stretches in which a source was polled without a gap longer than `within`; times and spans in microseconds. A poll
-- lengthens the newest stretch, so that there are as many rows as there were outages.
CREATE TABLE poll_spans (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL CHECK (source <> ''),
    since INTEGER NOT NULL,
    until INTEGER NOT NULL CHECK (until >= since),
    within INTEGER NOT NULL CHECK (within > 0)
) STRICT;
CREATE INDEX poll_spans_by_source ON poll_spans (source, since);

-- Closes that were allowed and drawn at random for a person to check: the sample that precision is measured on.
CREATE TABLE review_draws (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX review_draws_by_time ON review_draws (at, case_id);
CREATE TRIGGER review_draws_stay_as_drawn BEFORE UPDATE ON review_draws
BEGIN SELECT RAISE(ABORT, 'draws are append-only'); END;
CREATE TRIGGER review_draws_stay BEFORE DELETE ON review_draws
BEGIN SELECT RAISE(ABORT, 'draws are append-only'); END;

-- Periods that were exported on schedule: one that was missed is made up once.
CREATE TABLE metrics_exports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    period TEXT NOT NULL CHECK (period <> ''),
    since INTEGER NOT NULL,
    until INTEGER NOT NULL CHECK (until > since),
    dir TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER metrics_exports_stay_as_made BEFORE UPDATE ON metrics_exports
BEGIN SELECT RAISE(ABORT, 'exports are append-only'); END;
CREATE TRIGGER metrics_exports_stay BEFORE DELETE ON metrics_exports
BEGIN SELECT RAISE(ABORT, 'exports are append-only'); END;

-- A period is read by the alerts' own time, and each clock point of a case by its kind.
CREATE INDEX alerts_by_time ON alerts (time);
CREATE INDEX cases_by_update ON cases (updated);
CREATE INDEX approvals_by_asked ON approvals (asked);
CREATE INDEX feedback_by_alert ON feedback (alert_id, at);
CREATE INDEX verdicts_that_are_true ON verdicts (alert_id) WHERE kind = 'true_positive' AND superseded = 0;
CREATE INDEX timeline_events_turns ON timeline_events (case_id, kind, at)
    WHERE kind IN ('claimed', 'escalated', 'asked', 'closed', 'effect_carried_out');
