INSERT INTO tombstones (run_id, reason)
SELECT u.value, ?2 FROM json_each(?1) AS u WHERE true
ON CONFLICT (run_id) DO NOTHING
