INSERT INTO audit (writer, number, at, who, verb, resource, namespace, name, run, origin, allowed, reason, previous, hash)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
