DELETE FROM hearth.steps WHERE run_id = ANY ($1::uuid[])
