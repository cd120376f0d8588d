INSERT INTO hearth.export_targets (target, starts)
SELECT u.target, u.starts FROM unnest($1::text[], $2::boolean[]) AS u(target, starts)
ON CONFLICT (target) DO UPDATE SET starts = excluded.starts
