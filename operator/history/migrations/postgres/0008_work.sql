-- What the work of a succeeded attempt was, so that the same work need not be done again; and whose work was taken over.
-- The rows of attempts are all that is kept of it: it is found as long as its run is on record.
ALTER TABLE hearth.steps ADD COLUMN work_key text;
ALTER TABLE hearth.steps ADD COLUMN cached_from text;

COMMENT ON COLUMN hearth.steps.work_key IS 'Equal for equal work of one namespace; null without cache.';
COMMENT ON COLUMN hearth.steps.cached_from IS 'The run that did the work, when it was taken over.';
COMMENT ON COLUMN hearth.lineage.relation IS 'Read, Wrote, RanImage, RanTemplate, RerunOf, Called or Cached.';

CREATE INDEX steps_by_work ON hearth.steps (work_key, finished_at) WHERE work_key IS NOT NULL;
