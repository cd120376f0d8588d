INSERT INTO hearth.lineage (run_id, relation, from_id, to_id, step, attempt, name)
SELECT u.run_id, u.relation, u.from_id, u.to_id, u.step, u.attempt, u.name
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::text[])
       AS u(run_id, relation, from_id, to_id, step, attempt, name)
 WHERE NOT EXISTS (SELECT FROM hearth.tombstones d WHERE d.run_id = u.run_id)
ON CONFLICT (run_id, relation, from_id, to_id, step, attempt, name) DO NOTHING
