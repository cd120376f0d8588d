DELETE FROM hearth.runs WHERE id IN (SELECT id FROM hearth.runs WHERE id < $1 ORDER BY id LIMIT $2) AND id < $1
