-- Shows hearth.workflow_runs as public.workflow_runs, if this role may and nothing of that name is there.
DO $$
BEGIN
  IF pg_catalog.to_regnamespace('public') IS NOT NULL THEN
    IF pg_catalog.has_schema_privilege(current_user, 'public', 'CREATE')
       AND pg_catalog.to_regclass('public.workflow_runs') IS NULL THEN
      EXECUTE 'CREATE VIEW public.workflow_runs AS SELECT * FROM hearth.workflow_runs';
    END IF;
  END IF;
EXCEPTION
  -- Another operator was faster, or what the role may was changed meanwhile.
  WHEN duplicate_table OR unique_violation OR insufficient_privilege THEN NULL;
END
$$
