INSERT INTO export_targets (target, starts)
SELECT u.value ->> 'target', u.value ->> 'starts' FROM json_each(?1) AS u
 WHERE true
ON CONFLICT (target) DO UPDATE SET starts = excluded.starts
