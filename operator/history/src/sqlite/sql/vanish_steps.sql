UPDATE steps
   SET phase = 'Vanished', terminal = true, reason = 'Vanished'
  FROM runs r
 WHERE steps.run_id IN (SELECT value FROM json_each(?1)) AND NOT steps.terminal AND r.id = steps.run_id AND r.phase = 'Vanished'
