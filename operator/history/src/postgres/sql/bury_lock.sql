LOCK TABLE hearth.runs, hearth.steps, hearth.events, hearth.logs, hearth.lineage IN SHARE ROW EXCLUSIVE MODE
