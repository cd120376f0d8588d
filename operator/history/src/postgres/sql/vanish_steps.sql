UPDATE hearth.steps s
   SET phase = 'Vanished', terminal = true, reason = 'Vanished'
  FROM hearth.runs r
 WHERE s.run_id = ANY ($1::uuid[]) AND NOT s.terminal AND r.id = s.run_id AND r.phase = 'Vanished'
