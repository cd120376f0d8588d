INSERT INTO logs AS t (run_id, step, item, attempt, digest, bytes, left_out, unavailable)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
 WHERE NOT EXISTS (SELECT 1 FROM tombstones d WHERE d.run_id = ?1)
ON CONFLICT (run_id, step, item, attempt) DO UPDATE SET
  digest = excluded.digest, bytes = excluded.bytes, left_out = excluded.left_out, unavailable = excluded.unavailable
WHERE t.digest IS NULL AND excluded.digest IS NOT NULL
