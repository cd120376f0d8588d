DELETE FROM exports WHERE target NOT IN (SELECT target FROM export_targets)
