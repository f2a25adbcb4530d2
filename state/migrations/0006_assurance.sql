-- Runs of the golden lab with the configuration in force.
CREATE TABLE assurance_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    lab TEXT NOT NULL,
    passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
    why TEXT NOT NULL CHECK (why <> ''),
    -- what was measured; null when the lab could not be worked
    figures TEXT CHECK (json_valid(figures))
) STRICT;
CREATE TRIGGER assurance_runs_stay_as_they_are BEFORE UPDATE ON assurance_runs
BEGIN SELECT RAISE(ABORT, 'assurance runs are append-only'); END;
CREATE TRIGGER assurance_runs_stay BEFORE DELETE ON assurance_runs
BEGIN SELECT RAISE(ABORT, 'assurance runs are append-only'); END;
