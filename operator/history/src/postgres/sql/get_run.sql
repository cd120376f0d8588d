SELECT r.id, r.cluster, r.kind, r.namespace, r.namespace_uid, r.name, r.uid, r.number, r.phase, r.terminal, r.reason, r.message,
       r.trigger, r.owner, r.started_at, r.finished_at, r.duration_ms, r.minimal, r.reported_id,
       r.revision, r.digest, r.seq, r.spec, r.params, r.results, r.labels
  FROM hearth.runs r
 WHERE r.id = $1
