SELECT a.number, a.at, a.hash FROM audit a WHERE a.writer = ?1 ORDER BY a.number DESC LIMIT 1
