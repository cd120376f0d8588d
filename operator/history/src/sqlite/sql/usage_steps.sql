SELECT r.namespace, r.owner, r.digest, s.step, count(*) AS attempts, sum(s.duration_ms) AS duration_ms
  FROM runs r
  JOIN steps s ON s.run_id = r.id
 WHERE r.started_at >= ?1 AND r.started_at < ?2 AND r.reported_id IS NULL
   AND (CAST(?3 AS text) IS NULL OR r.namespace = CAST(?3 AS text))
   AND (CAST(?4 AS text) IS NULL OR r.namespace_uid = CAST(?4 AS text))
   AND s.attempt > 0 AND s.pod IS NOT NULL AND s.duration_ms IS NOT NULL
 GROUP BY r.namespace, r.owner, r.digest, s.step
