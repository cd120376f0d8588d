LOCK TABLE hearth.runs, hearth.steps, hearth.events IN SHARE ROW EXCLUSIVE MODE
