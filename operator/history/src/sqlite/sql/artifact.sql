SELECT json_extract(s.artifacts, '$."' || ?3 || '"') AS artifact
  FROM steps s
 WHERE s.run_id = ?1
   AND s.step = ?2
   AND s.artifacts <> '{}'
   AND json_extract(s.artifacts, '$."' || ?3 || '"') IS NOT NULL
 ORDER BY s.attempt DESC
 LIMIT 1
