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

-- A form that a server asked to be filled in during a call that changes something. The call is made once more, as another
-- effect with an approval of its own, and gives the very question the person's answer.
CREATE TABLE elicitations (
    id INTEGER PRIMARY KEY,
    effect_id INTEGER NOT NULL UNIQUE REFERENCES effects (id),
    approval_id INTEGER NOT NULL UNIQUE REFERENCES approvals (id),
    message TEXT NOT NULL,
    requested TEXT NOT NULL CHECK (json_valid(requested)),
    digest TEXT NOT NULL,
    content TEXT CHECK (content IS NULL OR json_valid(content)),
    answered_by TEXT,
    CHECK ((content IS NULL) = (answered_by IS NULL))
) STRICT;
CREATE TRIGGER elicitations_ask_what_they_ask BEFORE UPDATE OF id, effect_id, approval_id, message, requested, digest ON elicitations
BEGIN SELECT RAISE(ABORT, 'what was asked never changes'); END;
CREATE TRIGGER elicitations_stay_answered BEFORE UPDATE OF content, answered_by ON elicitations
WHEN (SELECT state FROM approvals WHERE id = OLD.approval_id) <> 'pending'
BEGIN SELECT RAISE(ABORT, 'an answer that counts never changes'); END;

-- A person wants an effect that was not sent to be proposed again; the gate decides anew.
CREATE TABLE effect_retries (
    effect_id INTEGER PRIMARY KEY REFERENCES effects (id),
    by_whom TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
