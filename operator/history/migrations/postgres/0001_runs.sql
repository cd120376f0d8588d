-- Runs, their steps and events, what was buried and what was refused.
-- Every name is qualified: connections have an empty search_path.

CREATE TABLE hearth.runs (
  id            uuid PRIMARY KEY,
  cluster       text NOT NULL,
  kind          text NOT NULL,
  namespace     text NOT NULL,
  namespace_uid text NOT NULL,
  name          text NOT NULL,
  uid           text NOT NULL,
  number        bigint NOT NULL CHECK (number >= 0),
  seq           bigint NOT NULL,
  phase         text NOT NULL CHECK (phase IN ('Pending', 'Running', 'Succeeded', 'Failed', 'Cancelled', 'Vanished')),
  terminal      boolean NOT NULL,
  reason        text,
  message       text,
  trigger       text NOT NULL,
  revision      text NOT NULL,
  digest        text NOT NULL,
  spec          jsonb NOT NULL,
  params        jsonb NOT NULL,
  results       jsonb NOT NULL,
  labels        jsonb NOT NULL,
  owner         text NOT NULL,
  started_at    timestamptz NOT NULL,
  finished_at   timestamptz,
  duration_ms   bigint GENERATED ALWAYS AS (
                  CASE WHEN finished_at IS NULL THEN NULL
                       ELSE greatest(0, (extract(epoch FROM (finished_at - started_at)) * 1000)::bigint) END) STORED,
  minimal       boolean NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE hearth.runs IS 'One row per run. A row changes only to a higher seq, and never once it is terminal; Vanished gives way once to a true end.';
COMMENT ON COLUMN hearth.runs.namespace_uid IS 'UID of the namespace at the time; empty when it was not known.';
COMMENT ON COLUMN hearth.runs.minimal IS 'The full row was refused; what it held is in hearth.dead_letter.';
COMMENT ON COLUMN hearth.runs.updated_at IS 'When this row was written last, by the clock of this server. Not an event time.';

CREATE INDEX runs_newest ON hearth.runs (started_at DESC, id DESC);
CREATE INDEX runs_by_object ON hearth.runs (kind, namespace, name, started_at DESC, id DESC);
CREATE INDEX runs_by_namespace ON hearth.runs (namespace, started_at DESC, id DESC);
CREATE INDEX runs_by_phase ON hearth.runs (phase, started_at DESC, id DESC);
CREATE INDEX runs_by_label ON hearth.runs USING gin (labels jsonb_path_ops);
CREATE INDEX runs_open ON hearth.runs (cluster, id) WHERE NOT terminal;

CREATE TABLE hearth.steps (
  run_id          uuid NOT NULL,
  step            text NOT NULL,
  item            integer NOT NULL CHECK (item >= 0),
  attempt         integer NOT NULL CHECK (attempt >= 0),
  run_started_at  timestamptz NOT NULL,
  seq             bigint NOT NULL,
  phase           text NOT NULL CHECK (phase IN ('Running', 'Waiting', 'Succeeded', 'Failed', 'Skipped', 'Cancelled', 'Void', 'Vanished')),
  terminal        boolean NOT NULL,
  class           text,
  reason          text,
  message         text,
  exit_code       integer,
  pod             text,
  node            text,
  image           text,
  image_id        text,
  outputs         jsonb NOT NULL,
  log             text,
  log_unavailable text,
  started_at      timestamptz,
  finished_at     timestamptz,
  duration_ms     bigint GENERATED ALWAYS AS (
                    CASE WHEN finished_at IS NULL OR started_at IS NULL THEN NULL
                         ELSE greatest(0, (extract(epoch FROM (finished_at - started_at)) * 1000)::bigint) END) STORED,
  PRIMARY KEY (run_id, step, item, attempt)
);

COMMENT ON TABLE hearth.steps IS 'One row per attempt of a step and item; attempt 0 is a step that never started.';

CREATE TABLE hearth.events (
  run_id     uuid NOT NULL,
  subject    text NOT NULL,
  transition text NOT NULL,
  seq        bigint NOT NULL,
  at         timestamptz NOT NULL,
  reason     text,
  message    text,
  PRIMARY KEY (run_id, subject, transition)
);

COMMENT ON TABLE hearth.events IS 'Transitions of a run and its attempts; deriving one again changes nothing.';

CREATE TABLE hearth.tombstones (
  run_id    uuid PRIMARY KEY,
  reason    text NOT NULL,
  buried_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE hearth.tombstones IS 'Runs whose rows were deleted; rows that arrive later are dropped and acknowledged.';

CREATE TABLE hearth.dead_letter (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind     text NOT NULL,
  run_id   text NOT NULL,
  seq      bigint NOT NULL,
  error    text NOT NULL,
  content  text NOT NULL,
  digest   bytea NOT NULL,
  times    bigint NOT NULL DEFAULT 1,
  first_at timestamptz NOT NULL DEFAULT now(),
  last_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (digest)
);

COMMENT ON TABLE hearth.dead_letter IS 'Rows that this store refused, each with the error. The same row refused again counts up.';

CREATE VIEW hearth.workflow_runs AS
SELECT r.id,
       r.namespace || '/' || r.name AS wpk_id,
       r.id::text AS run_id,
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

COMMENT ON VIEW hearth.workflow_runs IS 'Runs of Workflows in the words of the product contract. A run that vanished counts as failed: its end is not known.';
