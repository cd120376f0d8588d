-- Health of a Workflow, from its conditions; docs/argocd.md has the table.
local status = obj.status or {}
if status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "waiting for the operator to see the newest spec"}
end

local said = {}
for _, condition in ipairs(status.conditions) do
  said[condition.type] = condition
end
local function holds(kind)
  return said[kind] ~= nil and said[kind].status == "True"
end
local function health(word, kind)
  return {status = word, message = said[kind] and said[kind].message or ""}
end

if holds("Stalled") then
  return health("Degraded", "Stalled")
end
if holds("Suspended") then
  return health("Suspended", "Suspended")
end
if holds("ChangePending") then
  return health("Progressing", "ChangePending")
end
local active = status.phase == "Pending" or status.phase == "Running"
if holds("Reconciling") or active or not holds("Ready") then
  return health("Progressing", "Ready")
end
return health("Healthy", "Ready")
