SELECT r.id, r.seq, r.phase, r.terminal, r.digest, r.started_at
  FROM hearth.runs r
 WHERE r.reported_id = $1 AND r.namespace_uid = $2 AND r.kind = 'Workflow' AND r.name = $3
 LIMIT 1
