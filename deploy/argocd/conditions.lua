-- Health of what carries conditions: CertificateAuthority, DatabaseCertificate and DatabaseTLSProfile.
-- Base and table libraries alone: Argo CD opens no others.
local status = obj.status or {}

local function condition(kind)
  for _, one in ipairs(status.conditions or {}) do
    if one.type == kind then
      return one
    end
  end
  return nil
end

local ready = condition("Ready")
if ready == nil or status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "dbtls has not looked at it yet." }
end

local stalled = condition("Stalled")
if stalled ~= nil and stalled.status == "True" then
  -- Somebody has put it on hold, and says why: nothing is broken.
  local health = stalled.reason == "Held" and "Suspended" or "Degraded"
  return { status = health, message = stalled.reason .. ": " .. stalled.message }
end
if ready.status ~= "True" then
  return { status = "Progressing", message = ready.reason .. ": " .. ready.message }
end

-- What takes days, or waits for servers that come in a later wave, must not hold a sync up: it is told, and no more.
local told = { ready.message }
local rotation = status.rotation
if rotation ~= nil and rotation.phase ~= "Idle" then
  local wish = (obj.spec.rotation or {}).holdAt
  local held = wish == rotation.phase and ", held there" or ""
  table.insert(told, "Rotation: " .. rotation.phase .. held .. ". " .. (rotation.message or ""))
end
local serving = condition("Serving")
if serving ~= nil and serving.status ~= "True" then
  table.insert(told, serving.reason .. ": " .. serving.message)
end
return { status = "Healthy", message = table.concat(told, " ") }
