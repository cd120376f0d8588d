INSERT INTO runs AS t (
  id, cluster, kind, namespace, namespace_uid, name, uid, number, seq, phase, terminal, reason, message,
  trigger, revision, digest, spec, params, results, labels, owner, started_at, finished_at, minimal, reported_id)
SELECT ?1 ->> 'id', ?1 ->> 'cluster', ?1 ->> 'kind', ?1 ->> 'namespace', ?1 ->> 'namespace_uid', ?1 ->> 'name', ?1 ->> 'uid',
       ?1 ->> 'number', ?1 ->> 'seq', ?1 ->> 'phase', ?1 ->> 'terminal', ?1 ->> 'reason', ?1 ->> 'message', ?1 ->> 'trigger',
       ?1 ->> 'revision', ?1 ->> 'digest', ?1 ->> 'spec', ?1 ->> 'params', ?1 ->> 'results', ?1 ->> 'labels', ?1 ->> 'owner',
       ?1 ->> 'started_at', ?1 ->> 'finished_at', ?1 ->> 'minimal', ?2
 WHERE NOT EXISTS (SELECT 1 FROM tombstones d WHERE d.run_id = ?1 ->> 'id')
ON CONFLICT (id) DO UPDATE SET
  seq = excluded.seq, phase = excluded.phase, terminal = excluded.terminal, message = excluded.message, digest = excluded.digest,
  params = excluded.params, results = excluded.results, finished_at = excluded.finished_at, updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE t.reported_id IS NOT NULL AND NOT t.terminal
