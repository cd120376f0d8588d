INSERT INTO hearth.dead_letter AS t (kind, run_id, seq, error, content, digest)
VALUES ($1, $2, $3, $4, $5, sha256(convert_to(($1::text || ' ' || $2::text || ' ' || $5::text), 'UTF8')))
ON CONFLICT (digest) DO UPDATE SET times = t.times + 1, last_at = now(), error = excluded.error
