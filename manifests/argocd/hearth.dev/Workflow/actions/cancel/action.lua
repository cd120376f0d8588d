-- Stops the run that is under way, and no later one.
obj.spec.cancel = {run = obj.status.run.id}
return obj
