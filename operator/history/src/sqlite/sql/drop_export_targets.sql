DELETE FROM export_targets WHERE target NOT IN (SELECT value ->> 'target' FROM json_each(?1))
