SELECT l.run_id, l.relation, l.from_id, l.to_id, l.step, l.attempt, l.name, r.namespace_uid, o.own
  FROM unnest($1::text[], $2::text[], $3::uuid[]) AS f(id, namespace_uid, bound)
  JOIN hearth.lineage l ON l.from_id = f.id AND (f.bound IS NULL OR l.run_id >= f.bound)
  JOIN hearth.runs r ON r.id = l.run_id
 CROSS JOIN LATERAL (SELECT l.relation = 'Read' AND EXISTS (
         SELECT FROM hearth.lineage w WHERE w.to_id = l.from_id AND w.run_id = l.run_id AND w.relation = 'Wrote') AS own) AS o
 WHERE (f.namespace_uid IS NULL OR r.namespace_uid = f.namespace_uid)
   AND ($4::text IS NULL OR r.namespace = $4)
   AND ($5::text IS NULL OR r.namespace_uid = $5)
   AND NOT (o.own AND f.bound IS NOT NULL)
 ORDER BY l.run_id DESC, l.relation, l.from_id, l.to_id, l.step, l.attempt, l.name
 LIMIT $6
