--- The ways to log in (protocol/5-app-services-http.md, 5 and 16). Each provider turns the credential
--- of a request into (subject, data) or refuses.
local http = require("syncline.services.http")

local auth = require("syncline.auth")

local providers = {}

local function unauthorized(message)
    http.refuse(401, message or "unauthorized", "AuthError")
end

providers["anon-user"] = function()
    return auth.hex(auth.random(12))
end

-- The answer for an unknown address takes as long as one for a known address: the same hash is
-- computed against a record that nobody's password opens.
local nobody

providers["local-userpass"] = function(app, body)
    local email, password = http.member(body, "username"), http.member(body, "password")
    local account = app.directory:password(email)
    nobody = nobody or auth.hash_password(auth.random(16), app.scrypt)
    local good = auth.check_password(password, account and account.hash or nobody)
    if not good or not account then
        http.refuse(401, "unauthorized", "InvalidPassword")
    end
    if not account.confirmed then
        unauthorized()
    end
    if auth.password_needs_rehash(account.hash, app.scrypt) then
        app.directory:update_password(email, { hash = auth.hash_password(password, app.scrypt) })
    end
    return app.directory.fold(email), { email = account.email }
end

providers["api-key"] = function(app, body)
    local key = app.directory:api_key_login(http.member(body, "key"))
    if not key then
        unauthorized()
    end
    return key._id, {}
end

-- Reads "a.b\.c" out of nested tables.
local function at_path(claims, path)
    local value, part = claims, ""
    local function step(name)
        value = type(value) == "table" and value[name] or nil
    end
    local i = 1
    while i <= #path do
        local c = path:sub(i, i)
        if c == "\\" and path:sub(i + 1, i + 1) == "." then
            part, i = part .. ".", i + 1
        elseif c == "." then
            step(part)
            part = ""
        else
            part = part .. c
        end
        i = i + 1
    end
    step(part)
    return value
end

local MAX_TOKEN, MAX_SUBJECT, MAX_METADATA = 16384, 256, 4096

providers["custom-token"] = function(app, body)
    local settings = app.providers["custom-token"]
    local token = http.member(body, "token")
    if #token > MAX_TOKEN then
        unauthorized()
    end
    local claims, reason = auth.verify(token, app.custom_keys:for_token(token), {
        audience = settings.audience or app.id,
        issuer = settings.issuer,
        now = app.clock(),
        leeway = 60,
    })
    if not claims then
        app.log("info", "custom token refused", { app = app.id, reason = reason })
        unauthorized()
    end
    if type(claims.sub) ~= "string" or #claims.sub == 0 or #claims.sub > MAX_SUBJECT then
        unauthorized()
    end
    local data = {}
    for _, field in ipairs(settings.metadata or {}) do
        local value = at_path(claims, field.path)
        if type(value) == "string" and #value <= MAX_METADATA then
            data[field.name] = value
        elseif value == nil and field.required then
            unauthorized()
        end
    end
    return claims.sub, data
end

providers["custom-function"] = function(app, body)
    local payload = {}
    for name, value in pairs(body) do
        if name ~= "options" then
            payload[name] = value
        end
    end
    local ok, result = pcall(app.providers["custom-function"].login, payload)
    if not ok then
        unauthorized(tostring(result))
    end
    local id, name = result, nil
    if type(result) == "table" then
        id, name = result.id, result.name
    end
    if type(id) ~= "string" or id == "" then
        app.log("error", "the login function must return an id", { app = app.id })
        unauthorized()
    end
    return id, { name = name }
end

---The credential in a login body as (subject, data). Refuses with the answer SDKs expect.
---@param app syncline.services.App
---@param name string provider as in the path
---@param body table
---@return string subject
---@return table? data
function providers.check(app, name, body)
    local check = name ~= "check" and providers[name]
    if not check or not app.providers[name] then
        http.refuse(404, ("authentication via '%s' is unsupported"):format(name), "AuthProviderNotFound")
    end
    return check(app, body)
end

return providers
