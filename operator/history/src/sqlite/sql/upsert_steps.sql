INSERT INTO steps AS t (
  run_id, run_started_at, step, item, attempt, seq, phase, terminal, class, reason, message, exit_code,
  pod, node, image, image_id, outputs, log, log_unavailable, started_at, finished_at, artifacts, work_key, cached_from)
SELECT u.value ->> 'run_id', u.value ->> 'run_started_at', u.value ->> 'step', u.value ->> 'item',
       u.value ->> 'attempt', u.value ->> 'seq', u.value ->> 'phase', u.value ->> 'terminal', u.value ->> 'class',
       u.value ->> 'reason', u.value ->> 'message', u.value ->> 'exit_code', u.value ->> 'pod', u.value ->> 'node',
       u.value ->> 'image', u.value ->> 'image_id', u.value ->> 'outputs', u.value ->> 'log',
       u.value ->> 'log_unavailable', u.value ->> 'started_at', u.value ->> 'finished_at', u.value ->> 'artifacts',
       u.value ->> 'work_key', u.value ->> 'cached_from'
  FROM json_each(?1) AS u
 WHERE NOT EXISTS (SELECT 1 FROM tombstones d WHERE d.run_id = u.value ->> 'run_id')
ON CONFLICT (run_id, step, item, attempt) DO UPDATE SET
  run_started_at = excluded.run_started_at, seq = excluded.seq, phase = excluded.phase, terminal = excluded.terminal,
  class = excluded.class, reason = excluded.reason, message = excluded.message, exit_code = excluded.exit_code,
  pod = excluded.pod, node = excluded.node, image = excluded.image, image_id = excluded.image_id,
  outputs = excluded.outputs, log = excluded.log, log_unavailable = excluded.log_unavailable,
  started_at = excluded.started_at, finished_at = excluded.finished_at, artifacts = excluded.artifacts,
  work_key = excluded.work_key, cached_from = excluded.cached_from
WHERE (excluded.seq > t.seq AND NOT t.terminal)
   OR (t.phase = 'Vanished' AND excluded.terminal AND excluded.phase <> 'Vanished')
