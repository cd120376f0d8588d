-- What came of what: the table of Postgres in SQLite's words.

CREATE TABLE lineage (
  run_id   TEXT NOT NULL CHECK (length(run_id) = 36),
  relation TEXT NOT NULL,
  from_id  TEXT NOT NULL,
  to_id    TEXT NOT NULL,
  step     TEXT NOT NULL,
  attempt  INTEGER NOT NULL CHECK (attempt >= 0),
  name     TEXT NOT NULL,
  PRIMARY KEY (run_id, relation, from_id, to_id, step, attempt, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX lineage_from ON lineage (from_id, run_id);
CREATE INDEX lineage_to ON lineage (to_id, run_id);
