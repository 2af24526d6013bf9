-- Health of an object of any of the operator's kinds for Argo CD, as kstatus computes it, except for `spec.suspend`: Healthy
-- means that what the manifest declares is done. An object that is retried is Progressing, so that no sync fails for it at once.
local function is_true(conditions, kind)
  for _, condition in ipairs(conditions) do
    if condition.type == kind and condition.status == "True" then
      return condition
    end
  end
  return nil
end

if obj.metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = "Pending deletion"}
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to reconcile this generation"}
end

local conditions = obj.status.conditions or {}
local stalled = is_true(conditions, "Stalled")
if stalled ~= nil then
  return {status = "Degraded", message = stalled.message}
end
local ready = is_true(conditions, "Ready")
local suspended = is_true(conditions, "Suspended")
if ready ~= nil then
  -- Argo CD never ends a sync of a Suspended object, so an object that is done is Healthy even if suspended.
  local message = ready.message
  if suspended ~= nil then
    message = "Suspended: " .. message
  end
  return {status = "Healthy", message = message}
end
if suspended ~= nil then
  return {status = "Suspended", message = suspended.message}
end
for _, condition in ipairs(conditions) do
  if condition.type == "Ready" then
    return {status = "Progressing", message = condition.message}
  end
end
return {status = "Progressing", message = "Waiting for the condition Ready"}
