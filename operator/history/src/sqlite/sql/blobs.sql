SELECT r.namespace_uid, a.value ->> 'digest' AS digest
  FROM steps s
  JOIN runs r ON r.id = s.run_id
  JOIN json_each(s.artifacts) AS a
 WHERE s.artifacts <> '{}'
   AND a.value ->> 'digest' IS NOT NULL
 UNION
SELECT coalesce(r.namespace_uid, ''), l.digest
  FROM logs l
  LEFT JOIN runs r ON r.id = l.run_id
 WHERE l.digest IS NOT NULL
