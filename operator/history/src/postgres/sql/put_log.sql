INSERT INTO hearth.logs AS t (run_id, step, item, attempt, digest, bytes, left_out, unavailable)
SELECT $1::uuid, $2::text, $3::integer, $4::integer, $5::text, $6::bigint, $7::bigint, $8::text
 WHERE NOT EXISTS (SELECT FROM hearth.tombstones d WHERE d.run_id = $1)
ON CONFLICT (run_id, step, item, attempt) DO UPDATE SET
  digest = excluded.digest, bytes = excluded.bytes, left_out = excluded.left_out, unavailable = excluded.unavailable
WHERE t.digest IS NULL AND excluded.digest IS NOT NULL
