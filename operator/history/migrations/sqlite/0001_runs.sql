-- Runs, their steps and events, what was buried and what was refused: the tables of Postgres in SQLite's words.
-- Ids are UUIDs as text; times are RFC 3339 in UTC with milliseconds, so that they sort as text. Years are 0000 to 9999.

CREATE TABLE runs (
  id            TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  cluster       TEXT NOT NULL,
  kind          TEXT NOT NULL,
  namespace     TEXT NOT NULL CHECK (length(namespace) <= 1024),
  namespace_uid TEXT NOT NULL,
  name          TEXT NOT NULL CHECK (length(name) <= 1024),
  uid           TEXT NOT NULL,
  number        INTEGER NOT NULL CHECK (number >= 0),
  seq           INTEGER NOT NULL,
  phase         TEXT NOT NULL CHECK (phase IN ('Pending', 'Running', 'Succeeded', 'Failed', 'Cancelled', 'Vanished')),
  terminal      INTEGER NOT NULL CHECK (terminal IN (0, 1)),
  reason        TEXT,
  message       TEXT,
  trigger       TEXT NOT NULL,
  revision      TEXT NOT NULL,
  digest        TEXT NOT NULL,
  spec          TEXT NOT NULL,
  params        TEXT NOT NULL,
  results       TEXT NOT NULL,
  labels        TEXT NOT NULL,
  owner         TEXT NOT NULL,
  started_at    TEXT NOT NULL CHECK (started_at GLOB '[0-9][0-9][0-9][0-9]-*'),
  finished_at   TEXT CHECK (finished_at GLOB '[0-9][0-9][0-9][0-9]-*'),
  duration_ms   INTEGER GENERATED ALWAYS AS (
                  CASE WHEN finished_at IS NULL THEN NULL
                       ELSE max(0, CAST(round((unixepoch(finished_at, 'subsec') - unixepoch(started_at, 'subsec')) * 1000) AS INTEGER)) END) STORED,
  minimal       INTEGER NOT NULL CHECK (minimal IN (0, 1)),
  created_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE INDEX runs_newest ON runs (started_at DESC, id DESC);
CREATE INDEX runs_by_object ON runs (kind, namespace, name, started_at DESC, id DESC);
CREATE INDEX runs_by_namespace ON runs (namespace, started_at DESC, id DESC);
CREATE INDEX runs_by_phase ON runs (phase, started_at DESC, id DESC);
CREATE INDEX runs_open ON runs (cluster, id) WHERE NOT terminal;

CREATE TABLE steps (
  run_id          TEXT NOT NULL,
  step            TEXT NOT NULL,
  item            INTEGER NOT NULL CHECK (item >= 0),
  attempt         INTEGER NOT NULL CHECK (attempt >= 0),
  run_started_at  TEXT NOT NULL CHECK (run_started_at GLOB '[0-9][0-9][0-9][0-9]-*'),
  seq             INTEGER NOT NULL,
  phase           TEXT NOT NULL CHECK (phase IN ('Running', 'Waiting', 'Succeeded', 'Failed', 'Skipped', 'Cancelled', 'Void', 'Vanished')),
  terminal        INTEGER NOT NULL CHECK (terminal IN (0, 1)),
  class           TEXT,
  reason          TEXT,
  message         TEXT,
  exit_code       INTEGER,
  pod             TEXT,
  node            TEXT,
  image           TEXT,
  image_id        TEXT,
  outputs         TEXT NOT NULL,
  log             TEXT,
  log_unavailable TEXT,
  started_at      TEXT CHECK (started_at GLOB '[0-9][0-9][0-9][0-9]-*'),
  finished_at     TEXT CHECK (finished_at GLOB '[0-9][0-9][0-9][0-9]-*'),
  duration_ms     INTEGER GENERATED ALWAYS AS (
                    CASE WHEN finished_at IS NULL OR started_at IS NULL THEN NULL
                         ELSE max(0, CAST(round((unixepoch(finished_at, 'subsec') - unixepoch(started_at, 'subsec')) * 1000) AS INTEGER)) END) STORED,
  PRIMARY KEY (run_id, step, item, attempt)
) STRICT;

CREATE TABLE events (
  run_id     TEXT NOT NULL,
  subject    TEXT NOT NULL,
  transition TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  at         TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-*'),
  reason     TEXT,
  message    TEXT,
  PRIMARY KEY (run_id, subject, transition)
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstones (
  run_id    TEXT NOT NULL PRIMARY KEY,
  reason    TEXT NOT NULL,
  buried_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letter (
  id       INTEGER PRIMARY KEY,
  kind     TEXT NOT NULL,
  run_id   TEXT NOT NULL,
  seq      INTEGER NOT NULL,
  error    TEXT NOT NULL,
  content  TEXT NOT NULL,
  digest   BLOB NOT NULL UNIQUE,
  times    INTEGER NOT NULL DEFAULT 1,
  first_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  last_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE VIEW workflow_runs AS
SELECT r.id,
       r.namespace || '/' || r.name AS wpk_id,
       r.id AS run_id,
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
       (SELECT json_group_array(json_object(
                 'step', s.step, 'item', s.item, 'attempt', s.attempt,
                 'phase', s.phase, 'class', s.class, 'reason', s.reason, 'message', s.message,
                 'exitCode', s.exit_code, 'startedAt', s.started_at, 'finishedAt', s.finished_at,
                 'durationMs', s.duration_ms, 'outputs', json(s.outputs), 'log', s.log)
               ORDER BY s.started_at NULLS LAST, s.step, s.item, s.attempt)
          FROM steps s
         WHERE s.run_id = r.id) AS node_logs,
       r.started_at AS created_at
  FROM runs r
 WHERE r.kind = 'Workflow';
