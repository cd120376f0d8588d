-- Whole logs of attempts (`logs: Full`): which blob of the artifact store holds one, or why none does. They may come after
-- the attempt's row is terminal, which never changes, so they have a table of their own. Blobs that no row names are collected.

CREATE TABLE logs (
  run_id      TEXT NOT NULL CHECK (length(run_id) = 36),
  step        TEXT NOT NULL,
  item        INTEGER NOT NULL CHECK (item >= 0),
  attempt     INTEGER NOT NULL CHECK (attempt >= 1),
  digest      TEXT,
  bytes       INTEGER CHECK (bytes >= 0),
  left_out    INTEGER CHECK (left_out >= 0),
  unavailable TEXT,
  PRIMARY KEY (run_id, step, item, attempt),
  CHECK ((digest IS NULL) = (bytes IS NULL) AND (digest IS NULL) = (left_out IS NULL) AND (digest IS NULL) <> (unavailable IS NULL))
) STRICT, WITHOUT ROWID;
