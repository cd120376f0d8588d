-- What can be done to a Workflow now. Each action sets one field of its spec, as a person with kubectl would.
local run = (obj.status or {}).run or {}
local active = run.id ~= nil and run.finishedAt == nil
local suspended = obj.spec.suspend == true

local waits = false
for _, step in ipairs(run.steps or {}) do
  if active and step.phase == "Running" and step.reason == "WaitingForApproval" then
    waits = true
  end
end

return {
  ["suspend"] = {["disabled"] = suspended},
  ["resume"] = {["disabled"] = not suspended},
  ["cancel"] = {["disabled"] = not active},
  ["rerun"] = {["disabled"] = active},
  ["approve"] = {["disabled"] = not waits},
}
