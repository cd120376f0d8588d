SELECT r.id, r.cluster, r.kind, r.namespace, r.namespace_uid, r.name, r.uid, r.number, r.phase, r.terminal, r.reason, r.message,
       r.trigger, r.owner, r.started_at, r.finished_at, r.duration_ms, r.minimal, r.reported_id
  FROM runs r
 WHERE r.id IN (SELECT value FROM json_each(?1))
   AND (?2 IS NULL OR r.namespace = ?2)
   AND (?3 IS NULL OR r.namespace_uid = ?3)
 ORDER BY r.started_at DESC, r.id DESC
