INSERT INTO hearth.steps AS t (
  run_id, run_started_at, step, item, attempt, seq, phase, terminal, class, reason, message, exit_code,
  pod, node, image, image_id, outputs, log, log_unavailable, started_at, finished_at, artifacts, work_key, cached_from)
SELECT u.run_id, u.run_started_at, u.step, u.item, u.attempt, u.seq, u.phase, u.terminal, u.class, u.reason, u.message, u.exit_code,
       u.pod, u.node, u.image, u.image_id, u.outputs::jsonb, u.log, u.log_unavailable, u.started_at, u.finished_at, u.artifacts::jsonb,
       u.work_key, u.cached_from
  FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::integer[], $5::integer[], $6::bigint[], $7::text[], $8::boolean[],
              $9::text[], $10::text[], $11::text[], $12::integer[], $13::text[], $14::text[], $15::text[], $16::text[],
              $17::text[], $18::text[], $19::text[], $20::timestamptz[], $21::timestamptz[], $22::text[],
              $23::text[], $24::text[])
       AS u(run_id, run_started_at, step, item, attempt, seq, phase, terminal, class, reason, message, exit_code,
            pod, node, image, image_id, outputs, log, log_unavailable, started_at, finished_at, artifacts, work_key, cached_from)
 WHERE NOT EXISTS (SELECT FROM hearth.tombstones d WHERE d.run_id = u.run_id)
ON CONFLICT (run_id, step, item, attempt) DO UPDATE SET
  run_started_at = excluded.run_started_at, seq = excluded.seq, phase = excluded.phase, terminal = excluded.terminal,
  class = excluded.class, reason = excluded.reason, message = excluded.message, exit_code = excluded.exit_code,
  pod = excluded.pod, node = excluded.node, image = excluded.image, image_id = excluded.image_id, outputs = excluded.outputs,
  log = excluded.log, log_unavailable = excluded.log_unavailable, started_at = excluded.started_at, finished_at = excluded.finished_at,
  artifacts = excluded.artifacts, work_key = excluded.work_key, cached_from = excluded.cached_from
WHERE (excluded.seq > t.seq AND NOT t.terminal)
   OR (t.phase = 'Vanished' AND excluded.terminal AND excluded.phase <> 'Vanished')
