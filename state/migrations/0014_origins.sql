-- Names of the arguments of an effect that hold what an outsider may have written, a JSON list; NULL where the daemon chose
-- them all, and for effects from before this column.
ALTER TABLE effects ADD COLUMN untrusted TEXT CHECK (untrusted IS NULL OR json_valid(untrusted));
