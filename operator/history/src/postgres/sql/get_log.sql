SELECT s.step, s.item, s.attempt, s.phase, s.pod, s.log, s.log_unavailable,
       l.digest AS whole_digest, l.bytes AS whole_bytes, l.left_out AS whole_left_out, l.unavailable AS whole_unavailable
  FROM hearth.steps s
  LEFT JOIN hearth.logs l ON l.run_id = s.run_id AND l.step = s.step AND l.item = s.item AND l.attempt = s.attempt
 WHERE s.run_id = $1 AND s.step = $2 AND s.item = $3 AND ($4::integer IS NULL OR s.attempt = $4)
 ORDER BY (s.phase = 'Void'), (s.log IS NULL AND s.log_unavailable IS NULL AND l.run_id IS NULL), s.attempt DESC
 LIMIT 1
