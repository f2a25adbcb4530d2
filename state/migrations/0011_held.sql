-- An effect of which a rule could not be asked is held: not sent, and ruled on again. Since when, how often it was asked in
-- vain, when next, and in whose name; a due one stays due, a proposed one stands as denied until then.
ALTER TABLE effects ADD COLUMN held_since INTEGER;
ALTER TABLE effects ADD COLUMN held_tries INTEGER NOT NULL DEFAULT 0 CHECK (held_tries >= 0);
ALTER TABLE effects ADD COLUMN held_next INTEGER CHECK ((held_next IS NULL) = (held_since IS NULL));
ALTER TABLE effects ADD COLUMN held_for TEXT CHECK (held_for IN ('daemon', 'playbook', 'model'));
CREATE INDEX effects_held ON effects (held_next) WHERE held_next IS NOT NULL;
CREATE TRIGGER effects_are_held_before_they_are_sent BEFORE UPDATE OF decision, held_next ON effects
WHEN NEW.held_next IS NOT NULL AND NEW.decision NOT IN ('due', 'denied')
BEGIN SELECT RAISE(ABORT, 'only what was not sent is held'); END;

-- What a server asked during a call and was declined, until a person is asked or the call is seen to have taken.
CREATE TABLE heard_questions (
    effect_id INTEGER PRIMARY KEY REFERENCES effects (id),
    message TEXT NOT NULL,
    requested TEXT NOT NULL CHECK (json_valid(requested)),
    digest TEXT NOT NULL
) STRICT;
CREATE TRIGGER heard_questions_stay_as_heard BEFORE UPDATE ON heard_questions
BEGIN SELECT RAISE(ABORT, 'what a server asked never changes'); END;
