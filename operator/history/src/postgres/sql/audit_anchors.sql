SELECT a.writer, a.number, a.at, a.hash
  FROM hearth.audit_anchors a
 WHERE (a.writer, a.number) > ($1::uuid, $2::bigint)
 ORDER BY a.writer, a.number
 LIMIT $3
