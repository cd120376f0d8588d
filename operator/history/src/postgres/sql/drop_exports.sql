DELETE FROM hearth.exports WHERE target NOT IN (SELECT target FROM hearth.export_targets)
