SELECT l.run_id, l.relation, l.from_id, l.to_id, l.step, l.attempt, l.name, r.namespace_uid,
       l.relation = 'Read' AND EXISTS (
         SELECT 1 FROM lineage w WHERE w.to_id = l.from_id AND w.run_id = l.run_id AND w.relation = 'Wrote') AS own
  FROM json_each(?1) AS f
  JOIN lineage l ON l.to_id = f.value ->> 'id' AND (f.value ->> 'bound' IS NULL OR l.run_id <= f.value ->> 'bound')
  JOIN runs r ON r.id = l.run_id
 WHERE (f.value ->> 'namespace_uid' IS NULL OR r.namespace_uid = f.value ->> 'namespace_uid')
   AND (?2 IS NULL OR r.namespace = ?2)
   AND (?3 IS NULL OR r.namespace_uid = ?3)
 ORDER BY l.run_id DESC, l.relation, l.from_id, l.to_id, l.step, l.attempt, l.name
 LIMIT ?4
