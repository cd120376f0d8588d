SELECT r.digest, r.spec
  FROM runs r
  JOIN (SELECT i.digest, max(i.started_at) AS at
          FROM runs i
         WHERE i.started_at >= ?1 AND i.started_at < ?2 AND NOT i.minimal AND i.reported_id IS NULL
           AND (CAST(?3 AS text) IS NULL OR i.namespace = CAST(?3 AS text))
           AND (CAST(?4 AS text) IS NULL OR i.namespace_uid = CAST(?4 AS text))
         GROUP BY i.digest
         ORDER BY max(i.started_at) DESC
         LIMIT ?5) n ON n.digest = r.digest AND n.at = r.started_at
 WHERE NOT r.minimal AND r.reported_id IS NULL
