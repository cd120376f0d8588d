INSERT INTO runs AS t (
  id, cluster, kind, namespace, namespace_uid, name, uid, number, seq, phase, terminal, reason, message,
  trigger, revision, digest, spec, params, results, labels, owner, started_at, finished_at, minimal)
SELECT u.value ->> 'id', u.value ->> 'cluster', u.value ->> 'kind', u.value ->> 'namespace',
       u.value ->> 'namespace_uid', u.value ->> 'name', u.value ->> 'uid', u.value ->> 'number', u.value ->> 'seq',
       u.value ->> 'phase', u.value ->> 'terminal', u.value ->> 'reason', u.value ->> 'message',
       u.value ->> 'trigger', u.value ->> 'revision', u.value ->> 'digest', u.value ->> 'spec', u.value ->> 'params',
       u.value ->> 'results', u.value ->> 'labels', u.value ->> 'owner', u.value ->> 'started_at',
       u.value ->> 'finished_at', u.value ->> 'minimal'
  FROM json_each(?1) AS u
 WHERE NOT EXISTS (SELECT 1 FROM tombstones d WHERE d.run_id = u.value ->> 'id')
ON CONFLICT (id) DO UPDATE SET
  cluster = excluded.cluster, kind = excluded.kind, namespace = excluded.namespace,
  namespace_uid = excluded.namespace_uid, name = excluded.name, uid = excluded.uid, number = excluded.number,
  seq = excluded.seq, phase = excluded.phase, terminal = excluded.terminal, reason = excluded.reason,
  message = excluded.message, trigger = excluded.trigger, revision = excluded.revision, digest = excluded.digest,
  spec = excluded.spec, params = excluded.params, results = excluded.results, labels = excluded.labels,
  owner = excluded.owner, started_at = excluded.started_at, finished_at = excluded.finished_at,
  minimal = excluded.minimal, updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE t.reported_id IS NULL
  AND ((excluded.seq > t.seq AND NOT t.terminal)
    OR (t.phase = 'Vanished' AND excluded.terminal AND excluded.phase <> 'Vanished'))
