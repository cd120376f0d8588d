DELETE FROM dead_letter WHERE last_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', format('-%.3f seconds', ?1 / 1000.0))
