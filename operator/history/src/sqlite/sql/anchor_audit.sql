INSERT INTO audit_anchors (writer, number, at, hash)
SELECT a.writer, a.number, a.at, a.hash
  FROM audit a
 WHERE a.writer < ?1
   AND (NOT EXISTS (SELECT 1 FROM audit n WHERE n.writer = a.writer AND n.number > a.number)
        OR EXISTS (SELECT 1 FROM audit f WHERE f.number = 1 AND f.previous = a.hash AND f.writer >= ?1))
ON CONFLICT (writer, number) DO NOTHING
