-- What other systems have still to be told: which of them there are, and the runs that each waits for. A run enters with its
-- first row and with its end, in the transaction that writes those; a row goes when its target has taken it.

CREATE TABLE hearth.export_targets (
  target text PRIMARY KEY,
  starts boolean NOT NULL
);

COMMENT ON TABLE hearth.export_targets IS 'Who is told of runs. Empty when nobody is: then no run enters hearth.exports.';
COMMENT ON COLUMN hearth.export_targets.starts IS 'Whether it is told of the start of a run too, and not only of its end.';

CREATE TABLE hearth.exports (
  target text NOT NULL,
  run_id uuid NOT NULL,
  ended  boolean NOT NULL,
  since  timestamptz NOT NULL,
  PRIMARY KEY (target, run_id, ended)
);

COMMENT ON TABLE hearth.exports IS 'What a target has still to be told of a run: its start, or its end.';
COMMENT ON COLUMN hearth.exports.since IS 'When there was something to tell, by the clock of this server. A later end of the same run sets it anew, so that it is told again.';

CREATE INDEX exports_oldest ON hearth.exports (target, since, run_id, ended);

CREATE FUNCTION hearth.note_export() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  INSERT INTO hearth.exports AS x (target, run_id, ended, since)
  SELECT t.target, NEW.id, e.ended, date_trunc('milliseconds', clock_timestamp())
    FROM hearth.export_targets t CROSS JOIN (VALUES (false), (true)) AS e(ended)
   WHERE CASE WHEN e.ended THEN NEW.terminal ELSE t.starts AND TG_OP = 'INSERT' END
  ON CONFLICT (target, run_id, ended) DO UPDATE SET since = excluded.since;
  RETURN NULL;
END
$$;

CREATE TRIGGER runs_begun AFTER INSERT ON hearth.runs FOR EACH ROW EXECUTE FUNCTION hearth.note_export();
CREATE TRIGGER runs_ended AFTER UPDATE ON hearth.runs FOR EACH ROW WHEN (NEW.terminal) EXECUTE FUNCTION hearth.note_export();

CREATE OR REPLACE FUNCTION hearth.admit(role text) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA hearth TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON hearth.runs, hearth.steps, hearth.events, hearth.logs, hearth.tombstones, hearth.dead_letter, hearth.export_targets, hearth.exports TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT, DELETE ON hearth.lineage TO %I', role);
  EXECUTE format('GRANT SELECT ON hearth.workflow_runs TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT ON hearth.audit TO %I', role);
  EXECUTE format('GRANT SELECT ON hearth.audit_anchors TO %I', role);
END
$$;
