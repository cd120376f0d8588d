SELECT s.step, s.item, s.attempt, s.phase, s.pod, s.log, s.log_unavailable
  FROM steps s
 WHERE s.run_id = ?1 AND s.step = ?2 AND s.item = ?3 AND (?4 IS NULL OR s.attempt = ?4)
 ORDER BY (s.phase = 'Void'), (s.log IS NULL AND s.log_unavailable IS NULL), s.attempt DESC
 LIMIT 1
