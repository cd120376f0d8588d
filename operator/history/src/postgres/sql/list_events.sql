SELECT e.subject, e.transition, e.seq, e.at, e.reason, e.message
  FROM hearth.events e
 WHERE e.run_id = $1
   AND (e.at, e.seq, e.subject, e.transition) > ($2::timestamptz, $3::bigint, $4::text, $5::text)
 ORDER BY e.at, e.seq, e.subject, e.transition
 LIMIT $6
