SELECT n.hash
  FROM (SELECT r.at, r.hash FROM (SELECT a.at, a.hash FROM audit a ORDER BY a.at DESC, a.writer DESC, a.number DESC LIMIT 1) AS r
        UNION ALL
        SELECT k.at, k.hash FROM (SELECT a.at, a.hash FROM audit_anchors a ORDER BY a.at DESC, a.writer DESC, a.number DESC LIMIT 1) AS k) AS n
 ORDER BY n.at DESC
 LIMIT 1
