DELETE FROM hearth.audit a
 USING (SELECT i.writer, i.number FROM hearth.audit i WHERE i.writer < $1 ORDER BY i.writer, i.number LIMIT $2) AS o
 WHERE a.writer = o.writer AND a.number = o.number
