SELECT s.step, s.item, s.attempt, s.seq, s.phase, s.terminal, s.class, s.reason, s.message, s.exit_code, s.pod, s.node,
       s.image, s.image_id, s.outputs, s.artifacts, (s.log IS NOT NULL OR l.digest IS NOT NULL) AS has_log, s.log_unavailable, s.started_at, s.finished_at, s.duration_ms,
       s.cached_from
  FROM steps s
  LEFT JOIN logs l ON l.run_id = s.run_id AND l.step = s.step AND l.item = s.item AND l.attempt = s.attempt
 WHERE s.run_id = ?1 AND (coalesce(s.started_at, 'never'), s.step, s.item, s.attempt) > (?2, ?3, ?4, ?5)
 ORDER BY coalesce(s.started_at, 'never'), s.step, s.item, s.attempt
 LIMIT ?6
