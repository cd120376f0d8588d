INSERT INTO lineage (run_id, relation, from_id, to_id, step, attempt, name)
SELECT u.value ->> 'run_id', u.value ->> 'relation', u.value ->> 'from_id', u.value ->> 'to_id', u.value ->> 'step',
       u.value ->> 'attempt', u.value ->> 'name'
  FROM json_each(?1) AS u
 WHERE NOT EXISTS (SELECT 1 FROM tombstones d WHERE d.run_id = u.value ->> 'run_id')
ON CONFLICT (run_id, relation, from_id, to_id, step, attempt, name) DO NOTHING
