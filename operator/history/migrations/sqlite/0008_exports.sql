-- What other systems have still to be told: the tables and triggers of Postgres in SQLite's words.

CREATE TABLE export_targets (
  target TEXT NOT NULL PRIMARY KEY,
  starts INTEGER NOT NULL CHECK (starts IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE exports (
  target TEXT NOT NULL,
  run_id TEXT NOT NULL,
  ended  INTEGER NOT NULL CHECK (ended IN (0, 1)),
  since  TEXT NOT NULL,
  PRIMARY KEY (target, run_id, ended)
) STRICT, WITHOUT ROWID;

CREATE INDEX exports_oldest ON exports (target, since, run_id, ended);

CREATE TRIGGER runs_begun AFTER INSERT ON runs BEGIN
  INSERT INTO exports (target, run_id, ended, since)
  SELECT t.target, NEW.id, e.column1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    FROM export_targets t CROSS JOIN (VALUES (0), (1)) AS e
   WHERE CASE WHEN e.column1 THEN NEW.terminal ELSE t.starts END
  ON CONFLICT (target, run_id, ended) DO UPDATE SET since = excluded.since;
END;

CREATE TRIGGER runs_ended AFTER UPDATE ON runs WHEN NEW.terminal BEGIN
  INSERT INTO exports (target, run_id, ended, since)
  SELECT t.target, NEW.id, 1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    FROM export_targets t
   WHERE true
  ON CONFLICT (target, run_id, ended) DO UPDATE SET since = excluded.since;
END;
