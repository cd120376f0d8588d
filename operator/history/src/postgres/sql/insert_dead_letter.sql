INSERT INTO hearth.dead_letter AS t (kind, run_id, seq, error, content, digest)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (digest) DO UPDATE SET times = t.times + 1, last_at = now(), error = excluded.error
