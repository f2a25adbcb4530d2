-- Who wanted an effect that was not sent to be proposed again; NULL where nobody did. They do not approve it.
ALTER TABLE effects ADD COLUMN requested_by TEXT;
