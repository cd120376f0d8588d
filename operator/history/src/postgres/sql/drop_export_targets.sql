DELETE FROM hearth.export_targets WHERE target <> ALL ($1::text[])
