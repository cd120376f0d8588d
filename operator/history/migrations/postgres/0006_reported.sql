-- Runs that an outside system made itself and reported: they carry the id that it gave them. Their own ids are UUIDs of
-- version 8, those of the operator's runs of version 7, so that neither can take the other's place.
ALTER TABLE hearth.runs ADD COLUMN reported_id text;

COMMENT ON COLUMN hearth.runs.reported_id IS 'The id that an outside system gave the run that it reported; null for a run of the operator.';

CREATE INDEX runs_reported ON hearth.runs (reported_id) WHERE reported_id IS NOT NULL;

-- The id of a reported run is the one that was given with it.
CREATE OR REPLACE VIEW hearth.workflow_runs AS
SELECT r.id,
       r.namespace || '/' || r.name AS wpk_id,
       coalesce(r.reported_id, r.id::text) AS run_id,
       r.params AS inputs,
       r.results AS outputs,
       CASE r.phase
         WHEN 'Pending' THEN 'pending'
         WHEN 'Running' THEN 'running'
         WHEN 'Succeeded' THEN 'completed'
         WHEN 'Cancelled' THEN 'cancelled'
         ELSE 'failed'
       END AS status,
       r.duration_ms,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                 'step', s.step, 'item', s.item, 'attempt', s.attempt,
                 'phase', s.phase, 'class', s.class, 'reason', s.reason, 'message', s.message,
                 'exitCode', s.exit_code, 'startedAt', s.started_at, 'finishedAt', s.finished_at,
                 'durationMs', s.duration_ms, 'outputs', s.outputs, 'log', s.log)
               ORDER BY s.started_at NULLS LAST, s.step, s.item, s.attempt), '[]'::jsonb)
          FROM hearth.steps s
         WHERE s.run_id = r.id) AS node_logs,
       r.started_at AS created_at
  FROM hearth.runs r
 WHERE r.kind = 'Workflow';
