DELETE FROM hearth.dead_letter WHERE last_at < now() - ($1::bigint * interval '1 millisecond')
