-- Runs, steps and events in partitions by the month of the run's start. That time is the first 48 bits of a run's id
-- (UUIDv7), so ids are the partition key and the primary keys stay as they were. What is there becomes the first
-- partition as it stands: its rows are looked at, not copied.

-- The least id of runs that start at that time or later.
CREATE FUNCTION hearth.first_id(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT rpad(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0'), 32, '0')::uuid $$;

-- Makes the partition of a month, with what the default partition holds of it. False when that month has one.
CREATE FUNCTION hearth.make_partition(parent text, key text, month timestamptz) RETURNS boolean LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
  part    text := parent || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM');
  lower   uuid := hearth.first_id(month);
  upper   uuid := hearth.first_id(((month AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
  columns text;
BEGIN
  IF to_regclass('hearth.' || part) IS NOT NULL THEN
    RETURN false;
  END IF;
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
    FROM pg_attribute
   WHERE attrelid = ('hearth.' || parent)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
  EXECUTE format('CREATE TABLE hearth.%I (LIKE hearth.%I INCLUDING ALL)', part, parent);
  EXECUTE format('WITH moved AS (DELETE FROM hearth.%I WHERE %I >= %L AND %I < %L RETURNING %s) INSERT INTO hearth.%I (%s) SELECT %s FROM moved',
                 parent || '_default', key, lower, key, upper, columns, part, columns, columns);
  EXECUTE format('ALTER TABLE hearth.%I ATTACH PARTITION hearth.%I FOR VALUES FROM (%L) TO (%L)', parent, part, lower, upper);
  RETURN true;
EXCEPTION
  -- The first partition holds this month.
  WHEN invalid_object_definition THEN RETURN false;
END
$$;

-- Makes the partitions of this month and of so many to come; answers how many.
CREATE FUNCTION hearth.make_partitions(ahead integer) RETURNS bigint LANGUAGE sql SET search_path = '' AS $$
  SELECT count(*) FILTER (WHERE hearth.make_partition(t.parent, t.key, m.month AT TIME ZONE 'UTC'))
    FROM generate_series(date_trunc('month', now() AT TIME ZONE 'UTC'),
                         date_trunc('month', now() AT TIME ZONE 'UTC') + ahead * interval '1 month', interval '1 month') AS m(month)
   CROSS JOIN (VALUES ('runs', 'id'), ('steps', 'run_id'), ('events', 'run_id')) AS t(parent, key)
$$;

-- Drops the partitions that hold nothing but ids below this one; answers how many.
CREATE FUNCTION hearth.drop_partitions(below uuid) RETURNS bigint LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
  part    regclass;
  dropped bigint := 0;
BEGIN
  FOR part IN
    SELECT c.oid::regclass
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent IN ('hearth.events'::regclass, 'hearth.steps'::regclass, 'hearth.runs'::regclass)
       AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([0-9a-f-]+)''\)')::uuid <= below
     ORDER BY c.relname
  LOOP
    EXECUTE format('DROP TABLE %s', part);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END
$$;

-- Lets a role read and write rows, and change no table.
CREATE FUNCTION hearth.admit(role text) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA hearth TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON hearth.runs, hearth.steps, hearth.events, hearth.tombstones, hearth.dead_letter TO %I', role);
  EXECUTE format('GRANT SELECT ON hearth.workflow_runs TO %I', role);
END
$$;

REVOKE EXECUTE ON FUNCTION hearth.make_partition(text, text, timestamptz), hearth.make_partitions(integer), hearth.drop_partitions(uuid),
  hearth.admit(text) FROM PUBLIC;

ALTER TABLE hearth.runs RENAME TO runs_first;
ALTER TABLE hearth.steps RENAME TO steps_first;
ALTER TABLE hearth.events RENAME TO events_first;
ALTER INDEX hearth.runs_pkey RENAME TO runs_first_pkey;
ALTER INDEX hearth.steps_pkey RENAME TO steps_first_pkey;
ALTER INDEX hearth.events_pkey RENAME TO events_first_pkey;
ALTER INDEX hearth.runs_newest RENAME TO runs_first_newest;
ALTER INDEX hearth.runs_by_object RENAME TO runs_first_by_object;
ALTER INDEX hearth.runs_by_namespace RENAME TO runs_first_by_namespace;
ALTER INDEX hearth.runs_by_phase RENAME TO runs_first_by_phase;
ALTER INDEX hearth.runs_by_label RENAME TO runs_first_by_label;
ALTER INDEX hearth.runs_open RENAME TO runs_first_open;

CREATE TABLE hearth.runs (LIKE hearth.runs_first INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (id);
ALTER TABLE hearth.runs ADD PRIMARY KEY (id);
CREATE INDEX runs_newest ON hearth.runs (started_at DESC, id DESC);
CREATE INDEX runs_by_object ON hearth.runs (kind, namespace, name, started_at DESC, id DESC);
CREATE INDEX runs_by_namespace ON hearth.runs (namespace, started_at DESC, id DESC);
CREATE INDEX runs_by_phase ON hearth.runs (phase, started_at DESC, id DESC);
CREATE INDEX runs_by_label ON hearth.runs USING gin (labels jsonb_path_ops);
CREATE INDEX runs_open ON hearth.runs (cluster, id) WHERE NOT terminal;
COMMENT ON TABLE hearth.runs IS 'One row per run. A row changes only to a higher seq, and never once it is terminal; Vanished gives way once to a true end.';
CREATE TABLE hearth.runs_default PARTITION OF hearth.runs DEFAULT;

CREATE TABLE hearth.steps (LIKE hearth.steps_first INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (run_id);
ALTER TABLE hearth.steps ADD PRIMARY KEY (run_id, step, item, attempt);
COMMENT ON TABLE hearth.steps IS 'One row per attempt of a step and item; attempt 0 is a step that never started.';
CREATE TABLE hearth.steps_default PARTITION OF hearth.steps DEFAULT;

CREATE TABLE hearth.events (LIKE hearth.events_first INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (run_id);
ALTER TABLE hearth.events ADD PRIMARY KEY (run_id, subject, transition);
COMMENT ON TABLE hearth.events IS 'Transitions of a run and its attempts; deriving one again changes nothing.';
CREATE TABLE hearth.events_default PARTITION OF hearth.events DEFAULT;

-- The first partition ends with this month; what is later by a clock that was ahead goes to the default partition.
DO $$
DECLARE
  bound   uuid := hearth.first_id((date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
  parent  text;
  key     text;
  columns text;
BEGIN
  FOR parent, key IN VALUES ('runs', 'id'), ('steps', 'run_id'), ('events', 'run_id') LOOP
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
      FROM pg_attribute
     WHERE attrelid = ('hearth.' || parent)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    EXECUTE format('WITH moved AS (DELETE FROM hearth.%I WHERE %I >= %L RETURNING %s) INSERT INTO hearth.%I (%s) SELECT %s FROM moved',
                   parent || '_first', key, bound, columns, parent || '_default', columns, columns);
    EXECUTE format('ALTER TABLE hearth.%I ATTACH PARTITION hearth.%I FOR VALUES FROM (MINVALUE) TO (%L)', parent, parent || '_first', bound);
  END LOOP;
END
$$;

SELECT hearth.make_partitions(2);

-- The same words over the new tables; whoever selects from it goes on.
CREATE OR REPLACE VIEW hearth.workflow_runs AS
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
