-- How many calls of its case had no record when a shadow judged it: where there are any, its verdict shows nothing.
ALTER TABLE shadow_verdicts ADD COLUMN unrecorded INTEGER NOT NULL DEFAULT 0 CHECK (unrecorded >= 0);
