-- What watches the daemon itself: switches, canaries, findings of unusual patterns.

-- Every turn of a switch; the last row of a switch is how it stands, and none means on.
CREATE TABLE switches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    switch TEXT NOT NULL CHECK (switch IN ('closing', 'effects')),
    state TEXT NOT NULL CHECK (state IN ('off', 'on')),
    turned_by TEXT NOT NULL CHECK (turned_by <> ''),
    why TEXT NOT NULL CHECK (why <> '')
) STRICT;
CREATE INDEX switches_by_switch ON switches (switch, id);
CREATE TRIGGER switches_stay_as_turned BEFORE UPDATE ON switches
BEGIN SELECT RAISE(ABORT, 'the turns of a switch are append-only'); END;
CREATE TRIGGER switches_stay BEFORE DELETE ON switches
BEGIN SELECT RAISE(ABORT, 'the turns of a switch are append-only'); END;

-- A canary's case is nobody's work: it is left out wherever cases are listed, counted, joined or measured.
ALTER TABLE cases ADD COLUMN canary INTEGER NOT NULL DEFAULT 0 CHECK (canary IN (0, 1));

CREATE TABLE canary_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    alert_id INTEGER NOT NULL UNIQUE REFERENCES alerts (id),
    state TEXT NOT NULL CHECK (state IN ('started', 'escalated', 'missed', 'late')),
    why TEXT NOT NULL,
    judged INTEGER,
    CHECK ((state = 'started') = (judged IS NULL))
) STRICT;
CREATE INDEX canary_runs_under_way ON canary_runs (id) WHERE state = 'started';
CREATE TRIGGER canary_runs_are_judged_once BEFORE UPDATE ON canary_runs
WHEN OLD.state <> 'started' OR NEW.id <> OLD.id OR NEW.at <> OLD.at OR NEW.alert_id <> OLD.alert_id
BEGIN SELECT RAISE(ABORT, 'a canary is judged once'); END;
CREATE TRIGGER canary_runs_stay BEFORE DELETE ON canary_runs
BEGIN SELECT RAISE(ABORT, 'canary runs are never deleted'); END;

CREATE TABLE off_pattern (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    rule TEXT NOT NULL,
    measure TEXT NOT NULL CHECK (measure IN ('close_rate', 'verdict_mix', 'disagreement', 'tool_calls', 'new_tool')),
    baseline_n INTEGER NOT NULL CHECK (baseline_n >= 0),
    baseline REAL NOT NULL,
    recent_n INTEGER NOT NULL CHECK (recent_n >= 0),
    recent REAL NOT NULL,
    -- the recent window began here: once accepted, it is where the new baseline begins
    recent_since INTEGER NOT NULL,
    -- whether closes of this source and rule need a person while it is open
    holds_closing INTEGER NOT NULL CHECK (holds_closing IN (0, 1)),
    what TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'accepted')),
    accepted_by TEXT,
    accepted_at INTEGER,
    CHECK ((state = 'accepted') = (accepted_by IS NOT NULL AND accepted_at IS NOT NULL))
) STRICT;
-- One deviation is one finding until somebody has accepted it.
CREATE UNIQUE INDEX off_pattern_open ON off_pattern (source, rule, measure) WHERE state = 'open';
CREATE INDEX off_pattern_by_rule ON off_pattern (source, rule, measure, id);
CREATE TRIGGER off_pattern_is_accepted_once BEFORE UPDATE ON off_pattern
WHEN OLD.state <> 'open' OR NEW.state <> 'accepted' OR NEW.source <> OLD.source OR NEW.rule <> OLD.rule
    OR NEW.measure <> OLD.measure OR NEW.holds_closing <> OLD.holds_closing OR NEW.recent_since <> OLD.recent_since
BEGIN SELECT RAISE(ABORT, 'a finding is accepted once and never changed'); END;
CREATE TRIGGER off_pattern_stays BEFORE DELETE ON off_pattern
BEGIN SELECT RAISE(ABORT, 'findings are never deleted'); END;

-- Patterns are read per source and rule.
CREATE INDEX alerts_by_rule ON alerts (source, rule_id, received);
CREATE INDEX verdicts_by_time ON verdicts (at, alert_id);
CREATE INDEX verdicts_by_alert ON verdicts (alert_id, id);
