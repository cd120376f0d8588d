-- What came of what: the data, images, templates and earlier runs that went into a run, and the data that came out of it.
-- It goes with its run, so it is in partitions by the run's id. It begins with the first run that is written after this.

CREATE TABLE hearth.lineage (
  run_id   uuid NOT NULL,
  relation text NOT NULL,
  from_id  text NOT NULL,
  to_id    text NOT NULL,
  step     text NOT NULL,
  attempt  integer NOT NULL CHECK (attempt >= 0),
  name     text NOT NULL,
  PRIMARY KEY (run_id, relation, from_id, to_id, step, attempt, name)
) PARTITION BY RANGE (run_id);

COMMENT ON TABLE hearth.lineage IS 'That to_id came of from_id, by a step of the run. The whole row is its key: deriving it again changes nothing.';
COMMENT ON COLUMN hearth.lineage.relation IS 'Read, Wrote, RanImage, RanTemplate, RerunOf or Called.';
COMMENT ON COLUMN hearth.lineage.from_id IS 'Id of a run, sha256:hex of data or of an image, or workflow/NAME.';

CREATE INDEX lineage_from ON hearth.lineage (from_id, run_id);
CREATE INDEX lineage_to ON hearth.lineage (to_id, run_id);
CREATE TABLE hearth.lineage_default PARTITION OF hearth.lineage DEFAULT;

-- Makes the partitions of this month and of so many to come; answers how many.
CREATE OR REPLACE FUNCTION hearth.make_partitions(ahead integer) RETURNS bigint LANGUAGE sql SET search_path = '' AS $$
  SELECT count(*) FILTER (WHERE hearth.make_partition(t.parent, t.key, m.month AT TIME ZONE 'UTC'))
    FROM generate_series(date_trunc('month', now() AT TIME ZONE 'UTC'),
                         date_trunc('month', now() AT TIME ZONE 'UTC') + ahead * interval '1 month', interval '1 month') AS m(month)
   CROSS JOIN (VALUES ('runs', 'id'), ('steps', 'run_id'), ('events', 'run_id'), ('lineage', 'run_id')) AS t(parent, key)
$$;

-- Drops the partitions that hold nothing but ids below this one; answers how many.
CREATE OR REPLACE FUNCTION hearth.drop_partitions(below uuid) RETURNS bigint LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
  part    regclass;
  dropped bigint := 0;
BEGIN
  FOR part IN
    SELECT c.oid::regclass
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent IN ('hearth.lineage'::regclass, 'hearth.events'::regclass, 'hearth.steps'::regclass, 'hearth.runs'::regclass)
       AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([0-9a-f-]+)''\)')::uuid <= below
     ORDER BY c.relname
  LOOP
    EXECUTE format('DROP TABLE %s', part);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END
$$;

-- Lets a role read and write rows, and change no table. To the audit trail it can only add.
CREATE OR REPLACE FUNCTION hearth.admit(role text) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA hearth TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON hearth.runs, hearth.steps, hearth.events, hearth.tombstones, hearth.dead_letter TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT, DELETE ON hearth.lineage TO %I', role);
  EXECUTE format('GRANT SELECT ON hearth.workflow_runs TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT ON hearth.audit TO %I', role);
  EXECUTE format('GRANT SELECT ON hearth.audit_anchors TO %I', role);
END
$$;

SELECT hearth.make_partitions(2);
