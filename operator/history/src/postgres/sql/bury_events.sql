DELETE FROM hearth.events WHERE run_id = ANY ($1::uuid[])
