--- Access and refresh tokens of our own (protocol/5-app-services-http.md, 14).
local auth = require("syncline.auth")

local tokens = {}
tokens.__index = tokens

---@class syncline.services.Tokens
---@field app_id string audience of every token
---@field keyring { signing: userdata, accepted: userdata[] } keys of auth.key; may change
---@field access_lifetime integer seconds
---@field refresh_lifetime integer seconds

---@param options syncline.services.Tokens
---@return syncline.services.Tokens
function tokens.new(options)
    return setmetatable(options, tokens)
end

local NO_DEVICE = ("0"):rep(24)

---An access token for a login session.
---@param user syncline.services.User
---@param session string
---@param now integer Unix seconds
---@return string
function tokens:access(user, session, now)
    return assert(auth.sign({
        typ = "access",
        sub = user.id,
        aud = self.app_id,
        iss = session,
        sid = session,
        iat = now,
        exp = now + self.access_lifetime,
        baas_device_id = NO_DEVICE,
        user_data = user.custom_data,
    }, self.keyring.signing))
end

---The refresh token of a login session.
---@param user syncline.services.User
---@param session string
---@param now integer Unix seconds
---@return string
function tokens:refresh(user, session, now)
    return assert(auth.sign({
        typ = "refresh",
        sub = user.id,
        aud = self.app_id,
        sid = session,
        jti = session,
        iat = now,
        exp = now + self.refresh_lifetime,
        baas_device_id = NO_DEVICE,
    }, self.keyring.signing))
end

---Verifies a token of the wanted kind.
---@param token string
---@param kind string "access" or "refresh"
---@param now integer Unix seconds
---@return table? claims
---@return string? reason
function tokens:verify(token, kind, now)
    local claims, reason = auth.verify(token, self.keyring.accepted, { audience = self.app_id, now = now, leeway = 30 })
    if not claims then
        return nil, reason
    end
    if claims.typ ~= kind then
        return nil, "incorrect token type"
    end
    return claims
end

---The audience a token claims, unverified: which app to ask.
---@param token string
---@return string?
function tokens.audience(token)
    local claims = auth.decode(token)
    return claims and type(claims.aud) == "string" and claims.aud or nil
end

return tokens
