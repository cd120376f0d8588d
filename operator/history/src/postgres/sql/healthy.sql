SELECT count(*) FROM hearth.runs WHERE false
