SELECT a.writer, a.number, a.at, a.who, a.verb, a.resource, a.namespace, a.name, a.run, a.origin, a.allowed, a.reason, a.previous, a.hash
  FROM audit a
 WHERE (a.writer, a.number) > (?1, ?2)
 ORDER BY a.writer, a.number
 LIMIT ?3
