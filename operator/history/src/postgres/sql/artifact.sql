SELECT s.artifacts -> $3 AS artifact
  FROM hearth.steps s
 WHERE s.run_id = $1
   AND s.step = $2
   AND s.artifacts <> '{}'
   AND s.artifacts -> $3 IS NOT NULL
 ORDER BY s.attempt DESC
 LIMIT 1
