SELECT r.namespace, r.owner, count(*) AS runs, sum(CASE WHEN r.phase = 'Failed' THEN 1 ELSE 0 END) AS failed
  FROM hearth.runs r
 WHERE r.started_at >= $1 AND r.started_at < $2 AND r.reported_id IS NULL
   AND (CAST($3 AS text) IS NULL OR r.namespace = CAST($3 AS text))
   AND (CAST($4 AS text) IS NULL OR r.namespace_uid = CAST($4 AS text))
 GROUP BY r.namespace, r.owner
 ORDER BY r.namespace, r.owner
 LIMIT $5
