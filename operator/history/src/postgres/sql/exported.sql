DELETE FROM hearth.exports WHERE target = $1 AND run_id = $2 AND ended = $3 AND since = $4
