SELECT e.subject, e.transition, e.seq, e.at, e.reason, e.message
  FROM events e
 WHERE e.run_id = ?1 AND (e.at, e.seq, e.subject, e.transition) > (?2, ?3, ?4, ?5)
 ORDER BY e.at, e.seq, e.subject, e.transition
 LIMIT ?6
