--- The ways to log in (protocol/5-app-services-http.md, 5 and 16). Each provider turns the credential
--- of a request into (subject, data) or refuses.
local addresses = require("syncline.services.addresses")
local auth = require("syncline.auth")
local directory = require("syncline.services.directory")
local http = require("syncline.services.http")
local limits = require("syncline.services.limits")
local passwords = require("syncline.services.passwords")

local providers = {}

local function unauthorized(message)
    http.refuse(401, message or "unauthorized", "AuthError")
end

providers["anon-user"] = function()
    return auth.hex(auth.random(12))
end

-- Longer ones have no account.
local MAX_EMAIL = 320

-- Strangers wait while somebody guesses at an account; who has logged in from there before does not.
local function wait_as_stranger(app, email, peer)
    if not app.limits:attacked(email) then
        return
    end
    if not app.limits:begin_wait(peer, email) then
        app.limits:undo(peer, email)
        http.too_many(limits.DELAY)
    end
    app:pause(limits.DELAY)
    app.limits:end_wait(peer, email)
end

local function refuse_password(app, email, account)
    if app.limits:must_warn(email) then
        app.log("warning", "many wrong passwords for an account; strangers have to wait",
            { app = app.id, user = account and account.user or "none" })
    end
    http.refuse(401, "unauthorized", "InvalidPassword")
end

-- The right password, of an account that may log in. Takes as long for an address without an account.
local function check_password(app, body, peer)
    local email, password = http.member(body, "username"), http.member(body, "password")
    email = directory.fold(email):sub(1, MAX_EMAIL)
    local account = app.directory:password(email)
    local known = account ~= nil and directory.knows_place(account, addresses.place(peer))
    local wait = app.limits:guess(peer, email, known)
    if wait then
        http.too_many(wait)
    end
    if not known then
        wait_as_stranger(app, email, peer)
    end
    -- Other requests were served meanwhile: what was checked has to be what holds now.
    local good = app.passwords:check(password, account and account.hash, addresses.place(peer))
    if good == nil then
        app.limits:undo(peer, email)
        http.too_many(passwords.RETRY)
    end
    local present = app.directory:password(email)
    if not good or not present or present.hash ~= account.hash then
        refuse_password(app, email, present)
    end
    app.limits:right(peer, email)
    return present, password
end

-- The cost of hashes has been raised. Nobody is turned away for it, and a password that was changed meanwhile stays.
local function renew_hash(app, account, password, peer)
    local hash = app.passwords:try_hash(password, addresses.place(peer))
    local present = app.directory:password(account.email)
    if hash and present and present.hash == account.hash then
        app.directory:update_password(account.email, { hash = hash })
    end
end

providers["local-userpass"] = function(app, body, peer)
    local account, password = check_password(app, body, peer)
    if not account.confirmed then
        -- Whoever registers an address with a password of their own would learn that it was free.
        if app.providers["local-userpass"].discreet then
            http.refuse(401, "unauthorized", "InvalidPassword")
        end
        unauthorized()
    end
    if app.passwords:is_old(account.hash) then
        renew_hash(app, account, password, peer)
    end
    return directory.fold(account.email), { email = account.email }
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
---@param peer string address of the client
---@return string subject
---@return table? data
function providers.check(app, name, body, peer)
    local check = name ~= "check" and providers[name]
    if not check or not app.providers[name] then
        http.refuse(404, ("authentication via '%s' is unsupported"):format(name), "AuthProviderNotFound")
    end
    return check(app, body, peer)
end

return providers
