UPDATE hearth.runs
   SET phase = 'Vanished', terminal = true, reason = 'Vanished', updated_at = now(),
       message = 'the object was gone before the end of this run was recorded; its true end is not known'
 WHERE id = ANY ($1::uuid[]) AND NOT terminal AND reported_id IS NULL
