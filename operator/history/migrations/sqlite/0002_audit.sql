-- Who did what by the API, or was not allowed to: the tables of Postgres in SQLite's words.

CREATE TABLE audit (
  writer    TEXT NOT NULL CHECK (length(writer) = 36),
  number    INTEGER NOT NULL CHECK (number >= 1),
  at        TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-*'),
  who       TEXT NOT NULL,
  verb      TEXT NOT NULL,
  resource  TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name      TEXT NOT NULL,
  run       TEXT,
  origin    TEXT NOT NULL,
  allowed   INTEGER NOT NULL CHECK (allowed IN (0, 1)),
  reason    TEXT NOT NULL,
  previous  TEXT NOT NULL CHECK (length(previous) = 64),
  hash      TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
  PRIMARY KEY (writer, number)
) STRICT;

CREATE INDEX audit_newest ON audit (at DESC, writer DESC, number DESC);
CREATE INDEX audit_by_namespace ON audit (namespace, at DESC, writer DESC, number DESC);
CREATE INDEX audit_by_who ON audit (who, at DESC, writer DESC, number DESC);

CREATE TABLE audit_anchors (
  writer TEXT NOT NULL,
  number INTEGER NOT NULL,
  at     TEXT NOT NULL,
  hash   TEXT NOT NULL,
  PRIMARY KEY (writer, number)
) STRICT;

CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM audit_anchors k WHERE k.writer = OLD.writer AND k.number >= OLD.number)
BEGIN
  SELECT RAISE(ABORT, 'the audit trail is only added to');
END;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit trail is only added to');
END;

CREATE TRIGGER anchors_are_kept BEFORE DELETE ON audit_anchors
BEGIN
  SELECT RAISE(ABORT, 'the audit trail is only added to');
END;

CREATE TRIGGER anchors_are_not_changed BEFORE UPDATE ON audit_anchors
BEGIN
  SELECT RAISE(ABORT, 'the audit trail is only added to');
END;
