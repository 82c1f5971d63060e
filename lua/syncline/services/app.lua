--- One app: its users, tokens, providers and rules.
local addresses = require("syncline.services.addresses")
local auth = require("syncline.auth")
local json = require("syncline.core").json
local directory = require("syncline.services.directory")
local http = require("syncline.services.http")
local key_source = require("syncline.services.key_source")
local limits = require("syncline.services.limits")
local passwords = require("syncline.services.passwords")
local permissions = require("syncline.services.permissions")
local providers = require("syncline.services.providers")
local task = require("syncline.services.task")
local tokens = require("syncline.services.tokens")

---@class syncline.services.App
---@field id string
---@field directory syncline.services.Directory
---@field tokens syncline.services.Tokens
---@field providers table<string, table>
local app = {}
app.__index = app

local PROVIDERS = {
    anonymous = "anon-user",
    email = "local-userpass",
    api_key = "api-key",
    jwt = "custom-token",
    ["function"] = "custom-function",
}

-- The providers of a configuration under their names in paths.
local function read_providers(config)
    local enabled = {}
    for name, path_name in pairs(PROVIDERS) do
        local settings = config[name]
        if settings then
            enabled[path_name] = type(settings) == "table" and settings or {}
        end
    end
    return enabled
end

---@class syncline.services.AppOptions
---@field id string
---@field config table the app's part of the configuration
---@field path string directory file
---@field keyring { signing: userdata, accepted: userdata[] }
---@field clock fun(): integer Unix seconds
---@field tick fun(): number seconds of a clock that never jumps
---@field later (fun(seconds: number, action: fun()))? calls back after some time; without it nothing waits
---@field hashing syncline.services.Hashing?
---@field limits table as limits.check returns them
---@field log fun(level: string, message: string, facts: table?)
---@field mail fun(mail: table)
---@field base_url string
---@field fetch (fun(options: table): any)?

---@param options syncline.services.AppOptions
---@return syncline.services.App?
---@return string? message
function app.open(options)
    if not options.id:match("^[%w_-]+$") or #options.id > 64 then
        return nil, ("app id '%s': up to 64 letters, digits, '_' and '-'"):format(options.id)
    end
    local config = options.config
    local ok, message = permissions.validate(config.permissions)
    if not ok then
        return nil, ("app '%s': %s"):format(options.id, message)
    end
    message = config.schema ~= nil and permissions.wrong_schema(config.schema)
    if message then
        return nil, ("app '%s': %s"):format(options.id, message)
    end
    local enabled = read_providers(config)
    local custom = enabled["custom-token"]
    local source, reason, code
    if custom and custom.identity ~= nil and not directory.KEPT[custom.identity] then
        return nil, ("app '%s', jwt: 'identity' is 'google', 'apple' or 'facebook'"):format(options.id), "keys"
    end
    if custom then
        source, reason = key_source.open(custom, options)
        if not source then
            return nil, ("app '%s', jwt: %s"):format(options.id, reason), "keys"
        end
    end
    local email = enabled["local-userpass"]
    if email and email.discreet and (email.confirm or "auto") == "auto" then
        options.log("warning", "'discreet' cannot hide accounts while registrations are confirmed at once: use confirm = \"email\"",
            { app = options.id })
    end
    local users
    users, reason, code = directory.open(options.path, options.clock, config.max_sessions_per_user)
    if not users then
        return nil, reason, code
    end
    local self = setmetatable({
        config = config,
        custom_keys = source,
        id = options.id,
        directory = users,
        tokens = tokens.new({
            app_id = options.id,
            keyring = options.keyring,
            access_lifetime = config.access_token_lifetime or 30 * 60,
            refresh_lifetime = config.refresh_token_lifetime or 60 * 24 * 3600,
        }),
        providers = enabled,
        functions = config.functions or {},
        permissions = config.permissions, schema = config.schema,
        origins = config.origins,
        passwords = passwords.new({ cost = config.scrypt, hashing = options.hashing }),
        clock = options.clock,
        tick = options.tick,
        later = options.later,
        log = options.log,
        mail = options.mail,
        base_url = options.base_url,
        on_revoke = function() end,
        limits = limits.new(options.limits, options.tick),
    }, app)
    if email and self.passwords.hashing then
        self.passwords:prepare()
    end
    return self
end

function app:close()
    if self.custom_keys then
        self.custom_keys:close()
    end
    self.directory:close()
end

---Takes one call from a limit (limits.lua) or refuses with 429.
---@param name string
---@param key string
function app:limit(name, key)
    local wait = self.limits:take(name, key)
    if wait then
        http.too_many(wait)
    end
end

---Waits inside a handler.
---@param seconds number
function app:pause(seconds)
    if self.later and seconds > 0 then
        task.wait(function(resume)
            self.later(seconds, resume)
        end)
    end
end

local function check_credential(self, provider, request)
    local body = http.object(request)
    self:limit("log_in", addresses.place(request.peer))
    local subject, data = providers.check(self, provider, body, request.peer)
    return subject, data, body
end

-- The kind of identity by which a way to log in finds its user: tokens of an issuer may stand for the identity that
-- an import has kept.
local function identity_of(self, provider)
    local settings = provider == "custom-token" and self.providers[provider]
    return settings and directory.KEPT[settings.identity] or provider
end

-- The user an identity belongs to; an API key's identity is an entry of its owner.
local function resolve(self, provider, subject, data, peer)
    local user = self.directory:find_or_create(identity_of(self, provider), subject, data)
    if provider == "local-userpass" then
        self.directory:note_login(data.email, user.id, addresses.place(peer))
    end
    return user
end

local function device_of(body)
    local options = type(body.options) == "table" and body.options or {}
    local device = type(options.device) == "table" and options.device or {}
    local sdk, version = device.sdk, device.sdkVersion
    sdk = type(sdk) == "string" and sdk or "-"
    version = type(version) == "string" and version or "-"
    return ("%s %s"):format(sdk, version):sub(1, 64)
end

---POST login.
---@param provider string
---@param request syncline.services.Request
---@return syncline.services.Response
function app:log_in(provider, request)
    local subject, data, body = check_credential(self, provider, request)
    local user = resolve(self, provider, subject, data, request.peer)
    if user.disabled then
        http.refuse(401, "user disabled", "UserDisabled")
    end
    local now = self.clock()
    local key = provider == "api-key" and subject or nil
    local session = self.directory.sessions:open(user.id, device_of(body), self.tokens.refresh_lifetime, key)
    self.log("info", "login", { app = self.id, user = user.id, provider = provider })
    return http.json(200, {
        access_token = self.tokens:access(user, session, now),
        refresh_token = self.tokens:refresh(user, session, now),
        user_id = user.id,
        device_id = ("0"):rep(24),
    })
end

---POST login?link=true.
---@param provider string
---@param request syncline.services.Request
---@return syncline.services.Response
function app:link(provider, request)
    self:authenticate(request, "access")
    if provider == "anon-user" then
        http.refuse(400, "an anonymous identity cannot be linked", "BadRequest")
    end
    local subject, data = check_credential(self, provider, request)
    local user, claims = self:authenticate(request, "access") -- again: it may be over meanwhile
    if not self.directory:link(user, identity_of(self, provider), subject, data) then
        http.refuse(409, "unauthorized: identity is already linked")
    end
    if provider == "local-userpass" then
        self.directory:note_login(data.email, user.id, addresses.place(request.peer))
    end
    local now = self.clock()
    return http.json(200, {
        access_token = self.tokens:access(user, claims.sid, now),
        refresh_token = self.tokens:refresh(user, claims.sid, now),
        user_id = user.id,
        device_id = ("0"):rep(24),
    })
end

-- The user of a session, while both are good: the session lives, the key that it was opened with works, the
-- user is neither gone nor disabled.
local function session_user(self, id)
    local session = type(id) == "string" and self.directory.sessions:find(id)
    local key = session and session.api_key
    if not session or key and not (self.providers["api-key"] and self.directory:api_key_works(key)) then
        return nil
    end
    local user = self.directory:user(session.user)
    return user and not user.disabled and user or nil
end

---Whether a token without a session, which the operator or an issuer made, may still be used: not if its user
---is disabled or deleted, or was after it was made. Whoever never was a user of the app may.
---@param claims table
---@return boolean
function app:admits_standing(claims)
    local user, revoked = self.directory:user(claims.sub), self.directory:revoked_at(claims.sub)
    if not user then
        return revoked == nil
    end
    local issued = type(claims.iat) == "number" and claims.iat or 0
    return not user.disabled and (revoked == nil or issued >= revoked)
end

---The user a token speaks for: signature, kind, app, expiry, session and user are checked. The one
---check for HTTP calls, token refresh and sync connections.
---@param token string
---@param kind string "access" or "refresh"
---@return syncline.services.User?
---@return table|string claims, or the reason
function app:user_of(token, kind)
    local claims, reason = self.tokens:verify(token, kind, self.clock())
    if not claims then
        return nil, reason
    end
    local user = session_user(self, claims.sid)
    if not user or user.id ~= claims.sub then
        return nil, "failed to find refresh token"
    end
    return user, claims
end

---As user_of for the Authorization header of a request; refuses with what SDKs expect.
---@param request syncline.services.Request
---@param kind string
---@return syncline.services.User
---@return table claims
function app:authenticate(request, kind)
    local token = http.bearer(request)
    if not token then
        http.refuse(401, "must authenticate first", "MissingAuthReq")
    end
    local user, claims = self:user_of(token, kind)
    if not user then
        local text = kind == "refresh" and "invalid session: " .. claims or claims
        http.refuse(401, text, "InvalidSession")
    end
    return user, claims
end

---POST session: a new access token.
---@param request syncline.services.Request
---@return syncline.services.Response
function app:refresh(request)
    local user, claims = self:authenticate(request, "refresh")
    self:limit("refresh", user.id)
    self.directory.sessions:touch(claims.sid)
    return http.json(201, { access_token = self.tokens:access(user, claims.sid, self.clock()) })
end

---DELETE session. Also for a session that is already gone, if the token is ours.
---@param request syncline.services.Request
---@return syncline.services.Response
function app:log_out(request)
    local token = http.bearer(request)
    local claims = token and self.tokens:verify(token, "refresh", self.clock())
    if not claims then
        http.refuse(401, "invalid session", "InvalidSession")
    end
    self.directory.sessions:close(claims.sid)
    self.on_revoke(claims.sub, { [claims.sid] = true })
    return http.json(204)
end

---GET profile.
---@param request syncline.services.Request
---@return syncline.services.Response
function app:profile(request)
    local user = self:authenticate(request, "access")
    local identities = {}
    for i, identity in ipairs(user.identities) do
        identities[i] = {
            id = identity.id,
            provider_type = identity.provider,
            provider_id = identity.id,
            provider_data = identity.data,
        }
    end
    return http.json(200, {
        user_id = user.id,
        domain_id = auth.hex(auth.sha256(self.id)):sub(1, 24),
        type = user.type,
        identities = json.array(identities),
        data = user.data,
        custom_data = user.custom_data or {},
    })
end

---Ends all login sessions and open sync connections of a user.
---@param user_id string
function app:revoke(user_id)
    self.directory.sessions:end_all(user_id)
    self.on_revoke(user_id)
end

---DELETE auth/delete.
---@param request syncline.services.Request
---@return syncline.services.Response
function app:delete_self(request)
    local user = self:authenticate(request, "access")
    self:delete_user(user.id)
    return http.json(204)
end

---@param user_id string
---@return boolean found
function app:delete_user(user_id)
    local found = self.directory:delete_user(user_id)
    self.on_revoke(user_id)
    return found
end

---As delete_user, but nothing of it is left in the file, and tokens of a user who never had an account are void, too.
---@param user_id string
function app:erase_user(user_id)
    self.directory:erase_user(user_id)
    self.on_revoke(user_id)
end

---@param user_id string
---@param disabled boolean
---@return boolean found
function app:set_disabled(user_id, disabled)
    local found = self.directory:set_disabled(user_id, disabled)
    if disabled then
        self.on_revoke(user_id)
    end
    return found
end

---What a user may do with a partition.
---@param user syncline.services.User
---@param partition syncline.services.Partition
---@return string access "none", "read" or "write"
---@return string why
---@return string schema "owner", "additive" or "locked"
function app:access(user, partition)
    return permissions.decide(self.permissions, user, partition, self.schema)
end

return app
