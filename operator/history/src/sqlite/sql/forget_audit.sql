DELETE FROM audit WHERE rowid IN (SELECT i.rowid FROM audit i WHERE i.writer < ?1 ORDER BY i.writer, i.number LIMIT ?2)
