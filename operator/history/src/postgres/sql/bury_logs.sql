DELETE FROM hearth.logs WHERE run_id = ANY ($1::uuid[])
