DELETE FROM logs WHERE run_id IN (SELECT run_id FROM logs WHERE run_id < ?1 ORDER BY run_id LIMIT ?2)
