SELECT a.number, a.at, a.hash FROM hearth.audit a WHERE a.writer = $1 ORDER BY a.number DESC LIMIT 1
