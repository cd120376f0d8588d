INSERT INTO hearth.runs AS t (
  id, cluster, kind, namespace, namespace_uid, name, uid, number, seq, phase, terminal, reason, message,
  trigger, revision, digest, spec, params, results, labels, owner, started_at, finished_at, minimal, reported_id)
SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::bigint, $9::bigint, $10::text, $11::boolean,
       $12::text, $13::text, $14::text, $15::text, $16::text, $17::text::jsonb, $18::text::jsonb, $19::text::jsonb, $20::text::jsonb,
       $21::text, $22::timestamptz, $23::timestamptz, $24::boolean, $25::text
 WHERE NOT EXISTS (SELECT FROM hearth.tombstones d WHERE d.run_id = $1::uuid)
ON CONFLICT (id) DO UPDATE SET
  seq = excluded.seq, phase = excluded.phase, terminal = excluded.terminal, message = excluded.message, digest = excluded.digest,
  params = excluded.params, results = excluded.results, finished_at = excluded.finished_at, updated_at = now()
WHERE t.reported_id IS NOT NULL AND NOT t.terminal
