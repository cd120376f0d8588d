DELETE FROM hearth.logs WHERE run_id IN (SELECT run_id FROM hearth.logs WHERE run_id < $1 ORDER BY run_id LIMIT $2) AND run_id < $1
