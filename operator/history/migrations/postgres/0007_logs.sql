-- Whole logs of attempts (`logs: Full`): which blob of the artifact store holds one, or why none does. They may come after
-- the attempt's row is terminal, which never changes, so they have a table of their own. Blobs that no row names are collected.

CREATE TABLE hearth.logs (
  run_id      uuid NOT NULL,
  step        text NOT NULL,
  item        integer NOT NULL CHECK (item >= 0),
  attempt     integer NOT NULL CHECK (attempt >= 1),
  digest      text,
  bytes       bigint CHECK (bytes >= 0),
  left_out    bigint CHECK (left_out >= 0),
  unavailable text,
  PRIMARY KEY (run_id, step, item, attempt),
  CHECK ((digest IS NULL) = (bytes IS NULL) AND (digest IS NULL) = (left_out IS NULL) AND (digest IS NULL) <> (unavailable IS NULL))
);

COMMENT ON TABLE hearth.logs IS 'Whole logs of attempts in the artifact store, at most one row per attempt. One that is stored stays as it is.';
COMMENT ON COLUMN hearth.logs.left_out IS 'Bytes of the middle that are not in the blob, since the log was too long.';

-- Lets a role read and write rows, and change no table. To the audit trail it can only add.
CREATE OR REPLACE FUNCTION hearth.admit(role text) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA hearth TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON hearth.runs, hearth.steps, hearth.events, hearth.logs, hearth.tombstones, hearth.dead_letter TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT, DELETE ON hearth.lineage TO %I', role);
  EXECUTE format('GRANT SELECT ON hearth.workflow_runs TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT ON hearth.audit TO %I', role);
  EXECUTE format('GRANT SELECT ON hearth.audit_anchors TO %I', role);
END
$$;
