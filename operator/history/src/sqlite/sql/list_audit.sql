SELECT a.writer, a.number, a.at, a.who, a.verb, a.resource, a.namespace, a.name, a.run, a.origin, a.allowed, a.reason, a.previous, a.hash
  FROM audit a
 WHERE (?1 IS NULL OR a.namespace = ?1) AND (?2 IS NULL OR a.who = ?2)
   AND (?3 IS NULL OR a.at >= ?3) AND (?4 IS NULL OR a.allowed = ?4)
   AND (a.at, a.writer, a.number) < (?5, ?6, ?7)
 ORDER BY a.at DESC, a.writer DESC, a.number DESC
 LIMIT ?8
