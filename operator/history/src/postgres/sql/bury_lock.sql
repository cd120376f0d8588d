LOCK TABLE hearth.runs, hearth.steps, hearth.events, hearth.lineage IN SHARE ROW EXCLUSIVE MODE
