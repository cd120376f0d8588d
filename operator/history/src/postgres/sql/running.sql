SELECT r.kind, r.namespace, r.name, r.uid, r.id, r.number
  FROM hearth.runs r
 WHERE r.cluster = $1 AND NOT r.terminal AND r.reported_id IS NULL AND r.id > $2 AND r.updated_at < now() - ($3::bigint * interval '1 millisecond')
 ORDER BY r.id
 LIMIT $4
