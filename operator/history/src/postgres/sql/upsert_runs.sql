INSERT INTO hearth.runs AS t (
  id, cluster, kind, namespace, namespace_uid, name, uid, number, seq, phase, terminal, reason, message,
  trigger, revision, digest, spec, params, results, labels, owner, started_at, finished_at, minimal)
SELECT u.id, u.cluster, u.kind, u.namespace, u.namespace_uid, u.name, u.uid, u.number, u.seq, u.phase, u.terminal, u.reason, u.message,
       u.trigger, u.revision, u.digest, u.spec::jsonb, u.params::jsonb, u.results::jsonb, u.labels::jsonb, u.owner,
       u.started_at, u.finished_at, u.minimal
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
              $10::text[], $11::boolean[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
              $18::text[], $19::text[], $20::text[], $21::text[], $22::timestamptz[], $23::timestamptz[], $24::boolean[])
       AS u(id, cluster, kind, namespace, namespace_uid, name, uid, number, seq, phase, terminal, reason, message,
            trigger, revision, digest, spec, params, results, labels, owner, started_at, finished_at, minimal)
 WHERE NOT EXISTS (SELECT FROM hearth.tombstones d WHERE d.run_id = u.id)
ON CONFLICT (id) DO UPDATE SET
  cluster = excluded.cluster, kind = excluded.kind, namespace = excluded.namespace, namespace_uid = excluded.namespace_uid,
  name = excluded.name, uid = excluded.uid, number = excluded.number, seq = excluded.seq, phase = excluded.phase,
  terminal = excluded.terminal, reason = excluded.reason, message = excluded.message, trigger = excluded.trigger,
  revision = excluded.revision, digest = excluded.digest, spec = excluded.spec, params = excluded.params,
  results = excluded.results, labels = excluded.labels, owner = excluded.owner, started_at = excluded.started_at,
  finished_at = excluded.finished_at, minimal = excluded.minimal, updated_at = now()
WHERE t.reported_id IS NULL
  AND ((excluded.seq > t.seq AND NOT t.terminal)
    OR (t.phase = 'Vanished' AND excluded.terminal AND excluded.phase <> 'Vanished'))
