-- Of an effect that speaks of an alert at its source: which alert, and the status it would set there, if it sets one.
ALTER TABLE effects ADD COLUMN alert_id INTEGER REFERENCES alerts (id);
ALTER TABLE effects ADD COLUMN wanted TEXT;
-- The same call a second time is another effect; its digest is over its round too.
ALTER TABLE effects ADD COLUMN round INTEGER NOT NULL DEFAULT 0 CHECK (round >= 0);
-- How well it is known that it took: sent and not read back, read back, or so before anything was sent.
ALTER TABLE effects ADD COLUMN proof TEXT CHECK (proof IN ('requested', 'confirmed', 'already_so'));
ALTER TABLE effects ADD COLUMN looks INTEGER NOT NULL DEFAULT 0 CHECK (looks >= 0);
ALTER TABLE effects ADD COLUMN looked INTEGER;
CREATE INDEX effects_unproven ON effects (id) WHERE proof = 'requested';
CREATE INDEX effects_by_alert ON effects (alert_id, id) WHERE alert_id IS NOT NULL;
CREATE TRIGGER effects_keep_their_alert BEFORE UPDATE OF alert_id, wanted, round ON effects
BEGIN SELECT RAISE(ABORT, 'what an effect would do never changes'); END;
CREATE TRIGGER effects_stay_proven BEFORE UPDATE OF proof ON effects
WHEN OLD.proof IN ('confirmed', 'already_so') AND OLD.proof IS NOT NEW.proof
BEGIN SELECT RAISE(ABORT, 'what was read back stays so'); END;

-- Cases whose standing is not told outside yet: the outbox of write-back and tickets. `rev` grows with each change, so
-- that a change that comes while one is told is not lost.
CREATE TABLE untold_cases (
    case_id INTEGER PRIMARY KEY REFERENCES cases (id),
    rev INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX untold_cases_by_time ON untold_cases (due, case_id);
CREATE TRIGGER moved_cases_are_told AFTER UPDATE OF status ON cases
WHEN NEW.canary = 0 AND NEW.status IN ('awaiting_approval', 'escalated', 'closed')
BEGIN
    INSERT INTO untold_cases (case_id, rev) VALUES (NEW.id, 1)
    ON CONFLICT (case_id) DO UPDATE SET rev = rev + 1, tries = 0, due = 0;
END;
CREATE TRIGGER new_verdicts_are_told AFTER INSERT ON verdicts
WHEN (SELECT canary = 0 AND status IN ('awaiting_approval', 'escalated', 'closed') FROM cases WHERE id = NEW.case_id)
BEGIN
    INSERT INTO untold_cases (case_id, rev) VALUES (NEW.case_id, 1)
    ON CONFLICT (case_id) DO UPDATE SET rev = rev + 1, tries = 0, due = 0;
END;
