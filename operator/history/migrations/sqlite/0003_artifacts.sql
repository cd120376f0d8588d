-- What an attempt left in the artifact store: digest, bytes and whether it is a directory, by name.
-- Blobs that no row names any more are collected.
ALTER TABLE steps ADD COLUMN artifacts TEXT NOT NULL DEFAULT '{}';

CREATE INDEX steps_with_artifacts ON steps (run_id) WHERE artifacts <> '{}';
