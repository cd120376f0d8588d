-- What the work of a succeeded attempt was, so that the same work need not be done again; and whose work was taken over.
-- The rows of attempts are all that is kept of it: it is found as long as its run is on record.
ALTER TABLE steps ADD COLUMN work_key TEXT;
ALTER TABLE steps ADD COLUMN cached_from TEXT;

CREATE INDEX steps_by_work ON steps (work_key, finished_at) WHERE work_key IS NOT NULL;
