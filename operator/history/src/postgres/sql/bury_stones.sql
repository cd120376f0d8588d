INSERT INTO hearth.tombstones (run_id, reason)
SELECT u.run_id, $2 FROM unnest($1::uuid[]) AS u(run_id)
ON CONFLICT (run_id) DO NOTHING
