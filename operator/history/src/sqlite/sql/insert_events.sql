INSERT INTO events (run_id, subject, transition, seq, at, reason, message)
SELECT u.value ->> 'run_id', u.value ->> 'subject', u.value ->> 'transition', u.value ->> 'seq', u.value ->> 'at',
       u.value ->> 'reason', u.value ->> 'message'
  FROM json_each(?1) AS u
 WHERE NOT EXISTS (SELECT 1 FROM tombstones d WHERE d.run_id = u.value ->> 'run_id')
ON CONFLICT (run_id, subject, transition) DO NOTHING
