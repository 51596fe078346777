-- Health of an IssuedCertificate: an entry of a book, so healthy whatever it says, once the book says what was asked.
local spec = obj.spec or {}
local state = (obj.status or {}).state or "Valid"
if spec.revocation ~= nil and state ~= "Revoked" then
  return { status = "Progressing", message = "The revocation has not been taken up yet." }
end
return { status = "Healthy", message = state }
