-- Who did what by the API, or was not allowed to. Rows are added and never changed; they go by age once an anchor keeps the
-- hash that others lead to.

CREATE TABLE hearth.audit (
  writer    uuid NOT NULL,
  number    bigint NOT NULL CHECK (number >= 1),
  at        timestamptz NOT NULL,
  who       text NOT NULL,
  verb      text NOT NULL,
  resource  text NOT NULL,
  namespace text NOT NULL,
  name      text NOT NULL,
  run       text,
  origin    text NOT NULL,
  allowed   boolean NOT NULL,
  reason    text NOT NULL,
  previous  text NOT NULL CHECK (length(previous) = 64),
  hash      text NOT NULL UNIQUE CHECK (length(hash) = 64),
  PRIMARY KEY (writer, number)
);

COMMENT ON TABLE hearth.audit IS 'The audit trail: each row holds the hash of the one before in its chain; the first of a chain that of the newest row of all.';
COMMENT ON COLUMN hearth.audit.writer IS 'The chain: one per process and month.';

CREATE INDEX audit_newest ON hearth.audit (at DESC, writer DESC, number DESC);
CREATE INDEX audit_by_namespace ON hearth.audit (namespace, at DESC, writer DESC, number DESC);
CREATE INDEX audit_by_who ON hearth.audit (who, at DESC, writer DESC, number DESC);

CREATE TABLE hearth.audit_anchors (
  writer uuid NOT NULL,
  number bigint NOT NULL,
  at     timestamptz NOT NULL,
  hash   text NOT NULL,
  PRIMARY KEY (writer, number)
);

COMMENT ON TABLE hearth.audit_anchors IS 'What is kept of audit rows that went by age: the last of each chain, and those that a kept chain began after.';

CREATE FUNCTION hearth.keep_audit() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit' THEN
    IF EXISTS (SELECT FROM hearth.audit_anchors k WHERE k.writer = OLD.writer AND k.number >= OLD.number) THEN
      RETURN OLD;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit trail is only added to' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE ON hearth.audit FOR EACH ROW EXECUTE FUNCTION hearth.keep_audit();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON hearth.audit FOR EACH STATEMENT EXECUTE FUNCTION hearth.keep_audit();
CREATE TRIGGER anchors_are_kept BEFORE UPDATE OR DELETE ON hearth.audit_anchors FOR EACH ROW EXECUTE FUNCTION hearth.keep_audit();
CREATE TRIGGER anchors_are_not_emptied BEFORE TRUNCATE ON hearth.audit_anchors FOR EACH STATEMENT EXECUTE FUNCTION hearth.keep_audit();

-- Lets a role read and write rows, and change no table. To the audit trail it can only add.
CREATE OR REPLACE FUNCTION hearth.admit(role text) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA hearth TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON hearth.runs, hearth.steps, hearth.events, hearth.tombstones, hearth.dead_letter TO %I', role);
  EXECUTE format('GRANT SELECT ON hearth.workflow_runs TO %I', role);
  EXECUTE format('GRANT SELECT, INSERT ON hearth.audit TO %I', role);
  EXECUTE format('GRANT SELECT ON hearth.audit_anchors TO %I', role);
END
$$;
