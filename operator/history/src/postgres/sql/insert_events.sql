INSERT INTO hearth.events (run_id, subject, transition, seq, at, reason, message)
SELECT u.run_id, u.subject, u.transition, u.seq, u.at, u.reason, u.message
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[])
       AS u(run_id, subject, transition, seq, at, reason, message)
 WHERE NOT EXISTS (SELECT FROM hearth.tombstones d WHERE d.run_id = u.run_id)
ON CONFLICT (run_id, subject, transition) DO NOTHING
