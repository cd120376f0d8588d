DELETE FROM hearth.runs WHERE id = ANY ($1::uuid[])
