SELECT count(*) FROM runs WHERE false
