DELETE FROM hearth.lineage WHERE run_id IN (SELECT run_id FROM hearth.lineage WHERE run_id < $1 ORDER BY run_id LIMIT $2) AND run_id < $1
