SELECT a.writer, a.number, a.at, a.hash
  FROM audit_anchors a
 WHERE (a.writer, a.number) > (?1, ?2)
 ORDER BY a.writer, a.number
 LIMIT ?3
