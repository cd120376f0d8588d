SELECT r.namespace_uid, a.value ->> 'digest' AS digest
  FROM hearth.steps s
  JOIN hearth.runs r ON r.id = s.run_id
 CROSS JOIN LATERAL jsonb_each(s.artifacts) AS a
 WHERE s.artifacts <> '{}'
   AND a.value ->> 'digest' IS NOT NULL
 UNION
SELECT coalesce(r.namespace_uid, ''), l.digest
  FROM hearth.logs l
  LEFT JOIN hearth.runs r ON r.id = l.run_id
 WHERE l.digest IS NOT NULL
