-- One more run. The token names the run that it follows, so that pressing twice asks once.
local run = (obj.status or {}).run or {}
obj.spec.rerun = {token = "after-" .. (run.id or "nothing")}
return obj
