UPDATE runs
   SET phase = 'Vanished', terminal = true, reason = 'Vanished', updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
       message = 'the object was gone before the end of this run was recorded; its true end is not known'
 WHERE id IN (SELECT value FROM json_each(?1)) AND NOT terminal AND reported_id IS NULL
