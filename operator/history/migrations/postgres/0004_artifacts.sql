-- What an attempt left in the artifact store: digest, bytes and whether it is a directory, by name.
ALTER TABLE hearth.steps ADD COLUMN artifacts jsonb NOT NULL DEFAULT '{}';

COMMENT ON COLUMN hearth.steps.artifacts IS 'Artifacts by name. Blobs that no row names any more are collected.';

CREATE INDEX steps_with_artifacts ON hearth.steps (run_id) WHERE artifacts <> '{}';
