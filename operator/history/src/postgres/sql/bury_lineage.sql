DELETE FROM hearth.lineage WHERE run_id = ANY ($1::uuid[])
