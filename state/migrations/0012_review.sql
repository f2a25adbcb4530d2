-- Which closes people check: one lot a case, so that working it again is neither a way out nor a second chance.

CREATE TABLE review_lots (
    case_id INTEGER PRIMARY KEY REFERENCES cases (id),
    at INTEGER NOT NULL,
    -- first instant of the week it was drawn in, by the operator's calendar
    week INTEGER NOT NULL,
    -- least number of cases a week that was in force
    least INTEGER NOT NULL CHECK (least >= 0),
    drawn INTEGER NOT NULL CHECK (drawn IN (0, 1))
) STRICT;
CREATE INDEX review_lots_by_week ON review_lots (week, drawn);
CREATE INDEX review_lots_by_time ON review_lots (at);

-- Earlier draws keep their first time; of what was not drawn then there is no record. A week begins on Monday, UTC.
INSERT INTO review_lots (case_id, at, week, least, drawn)
    SELECT case_id, min(at), (min(at) - 345600000000) / 604800000000 * 604800000000 + 345600000000, 0, 1
    FROM review_draws GROUP BY case_id;
DROP TABLE review_draws;

CREATE TRIGGER review_lots_stay_as_drawn BEFORE UPDATE ON review_lots
BEGIN SELECT RAISE(ABORT, 'lots are append-only'); END;
CREATE TRIGGER review_lots_stay BEFORE DELETE ON review_lots
BEGIN SELECT RAISE(ABORT, 'lots are append-only'); END;
