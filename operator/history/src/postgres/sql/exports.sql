SELECT x.run_id, x.ended, x.since
  FROM hearth.exports x
 WHERE x.target = $1
 ORDER BY x.since, x.run_id, x.ended
 LIMIT $2
