-- Lets every step go on that waits for approval in this run.
local run = obj.status.run
local approve = obj.spec.approve or {}
local known = {}
for _, entry in ipairs(approve) do
  known[entry.run .. "/" .. entry.step] = true
end
for _, step in ipairs(run.steps or {}) do
  local waits = step.phase == "Running" and step.reason == "WaitingForApproval"
  if waits and not known[run.id .. "/" .. step.name] then
    table.insert(approve, {step = step.name, run = run.id})
  end
end
obj.spec.approve = approve
return obj
