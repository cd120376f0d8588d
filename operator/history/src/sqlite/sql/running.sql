SELECT r.kind, r.namespace, r.name, r.uid, r.id, r.number
  FROM runs r
 WHERE r.cluster = ?1 AND NOT r.terminal AND r.reported_id IS NULL AND r.id > ?2
   AND r.updated_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', format('-%.3f seconds', ?3 / 1000.0))
 ORDER BY r.id
 LIMIT ?4
