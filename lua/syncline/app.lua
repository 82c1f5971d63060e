--- An app on a Syncline server, and the users who log in to it: what a Realm SDK calls App, User and
--- Credentials.
---
--- ```lua
--- local app = syncline.app{ id = "tasks", base_url = "https://localhost:9090", storage = "users" }
--- local user = assert(app:log_in{ provider = "anonymous" })
--- local realm = syncline.open{ path = "tasks.db", schema = ..., sync = { user = user, partition = "shared" } }
--- ```

local auth = require("syncline.auth")
local core = require("syncline.core")
local disk = require("syncline.disk")
local loop = require("syncline.loop")

local json = core.json

---@class syncline.App
---@field id string
---@field base_url string
---@field tls table|nil
local App = {}
App.__index = App

---@class syncline.User
---@field app syncline.App
---@field id string
---@field access_token string
---@field refresh_token string
local User = {}
User.__index = User

local TIMEOUT = 60

-- ---- requests ---------------------------------------------------------------------------------------

-- What a failed answer says: message, code.
local function refusal(status, body)
    local envelope = body ~= "" and json.decode(body)
    if type(envelope) == "table" and type(envelope.error) == "string" then
        return envelope.error, type(envelope.error_code) == "string" and envelope.error_code or status
    end
    return ("the server answered %d"):format(status), status
end

-- Sends one request; done(value) or done(nil, message, code). An answer without a body gives true.
local function send(self, method, path, body, token, done)
    local headers = { Accept = "application/json" }
    if body then headers["Content-Type"] = "application/json;charset=utf-8" end
    if token then headers.Authorization = "Bearer " .. token end
    local call, message, code = loop.get():request({
        url = self.base_url .. path, method = method, headers = headers, body = body, tls = self.tls, timeout = TIMEOUT,
        on_done = function(answer, reason, number)
            if not answer then return done(nil, reason, number) end
            if answer.status < 200 or answer.status > 299 then return done(nil, refusal(answer.status, answer.body)) end
            if answer.body == "" then return done(true) end
            local value, why = json.decode(answer.body)
            if value == nil then return done(nil, "the server's answer is " .. why, "json") end
            done(value, answer.body)
        end,
    })
    if not call then done(nil, message, code) end
end

-- The same, waiting for the answer.
local function ask(self, method, path, body, token)
    local result
    send(self, method, path, body, token, function(...) result = { ... } end)
    local ok, message, code = loop.run(function() return result ~= nil end, TIMEOUT + 1)
    if not ok then return nil, message, code end
    return result[1], result[2], result[3]
end

local function app_path(self, rest)
    return "/api/client/v2.0/app/" .. self.id .. rest
end

local AUTH = "/api/client/v2.0/auth"

-- ---- stored users -----------------------------------------------------------------------------------

local function user_file(self)
    return self.storage and ("%s/%s.user.json"):format(self.storage, self.id)
end

local function store(user)
    local path = user_file(user.app)
    if not path then return true end
    local text = json.encode({
        id = user.id, access_token = user.access_token, refresh_token = user.refresh_token, provider = user.provider,
    })
    return disk.write_private(path, text .. "\n")
end

local function load_user(self)
    local path = user_file(self)
    if not path or not disk.exists(path) then return nil end
    local stored = json.decode(disk.read(path) or "")
    if type(stored) ~= "table" or type(stored.refresh_token) ~= "string" then return nil end
    stored.app = self
    return setmetatable(stored, User)
end

-- ---- the app ----------------------------------------------------------------------------------------

---An app. Options: `id`; `base_url` (`https://host:port`); `tls` (`{ca = file, min = "1.2", verify = false}`);
---`storage` (folder in which the user who is logged in is remembered, for starts without a network).
---@param options table
---@return syncline.App
function App.new(options)
    for _, name in ipairs({ "id", "base_url" }) do
        if type(options[name]) ~= "string" then error(("app: option '%s': string expected"):format(name), 2) end
    end
    if not options.id:match("^[%w_-]+$") then error("app: an id has letters, digits, '_' and '-' only", 2) end
    if options.storage then assert(disk.make_folder(options.storage)) end
    local self = setmetatable({
        id = options.id, base_url = options.base_url:gsub("/+$", ""), tls = options.tls, storage = options.storage,
    }, App)
    self.user = load_user(self)
    return self
end

-- Credentials of our options as (name of the provider in the path, body).
local PROVIDERS = {
    anonymous = function() return "anon-user", { provider = "anon-user" } end,
    email = function(c)
        return "local-userpass", { provider = "local-userpass", username = c.email, password = c.password }
    end,
    api_key = function(c) return "api-key", { provider = "api-key", key = c.key } end,
    jwt = function(c) return "custom-token", { provider = "custom-token", token = c.token } end,
    ["function"] = function(c) return "custom-function", c.payload or {} end,
}

local function login_request(credentials)
    local make = type(credentials) == "table" and PROVIDERS[credentials.provider]
    if not make then error("credentials: provider 'anonymous', 'email', 'api_key', 'jwt' or 'function' expected", 3) end
    local name, body = make(credentials)
    local copy = { options = { device = { sdk = "Lua", sdkVersion = "0.1.0", platform = "Lua" } } }
    for member, value in pairs(body) do copy[member] = value end
    return "/auth/providers/" .. name .. "/login", json.encode(copy), name
end

---Logs in with `{provider = "anonymous"}`, `{provider = "email", email=, password=}`, `{provider = "api_key", key=}`,
---`{provider = "jwt", token=}` or `{provider = "function", payload=}`.
---@param credentials table
---@return syncline.User|nil user
---@return string|nil message
---@return string|number|nil code
function App:log_in(credentials)
    local path, body, provider = login_request(credentials)
    local answer, message, code = ask(self, "POST", app_path(self, path), body)
    if not answer then return nil, message, code end
    if type(answer.access_token) ~= "string" or type(answer.refresh_token) ~= "string" or type(answer.user_id) ~= "string" then
        return nil, "the server's answer lacks a token or the user's id", "login"
    end
    local user = setmetatable({
        app = self, id = answer.user_id, access_token = answer.access_token, refresh_token = answer.refresh_token,
        provider = provider,
    }, User)
    local ok, why = store(user)
    if not ok then return nil, why, "storage" end
    self.user = user
    return user
end

---The user who is logged in, also after a restart without a network (with `storage`); nil if nobody is.
---@return syncline.User|nil
function App:current_user()
    return self.user
end

local function email_call(self, action, body)
    local path = app_path(self, "/auth/providers/local-userpass/" .. action)
    local answer, message, code = ask(self, "POST", path, json.encode(body))
    if not answer then return nil, message, code end
    return true
end

---Makes an account with email and password.
function App:register(email, password)
    return email_call(self, "register", { email = email, password = password })
end

---Confirms an account with the two tokens of the mail.
function App:confirm(token, token_id)
    return email_call(self, "confirm", { token = token, tokenId = token_id })
end

---Asks for another confirmation mail.
function App:resend_confirmation(email)
    return email_call(self, "confirm/send", { email = email })
end

---Asks for a mail with which the password can be set anew.
function App:send_reset(email)
    return email_call(self, "reset/send", { email = email })
end

---Sets a new password with the two tokens of the mail.
function App:reset_password(password, token, token_id)
    return email_call(self, "reset", { password = password, token = token, tokenId = token_id })
end

-- ---- users ------------------------------------------------------------------------------------------

---Where this user's realms synchronise.
---@return string
function User:sync_url()
    return (self.app.base_url:gsub("^http", "ws"))
end

---Gets a new access token and calls `done(token)`, or `done(nil, message, code)`. When the server says that
---the session has ended, the user is forgotten.
---@param done fun(token: string|nil, message: string|nil, code: any)
function User:refresh(done)
    send(self.app, "POST", AUTH .. "/session", nil, self.refresh_token, function(answer, message, code)
        if not answer then
            if code == "InvalidSession" or code == 401 or code == 403 then self:forget() end
            return done(nil, message, code)
        end
        self.access_token = answer.access_token
        store(self)
        done(self.access_token)
    end)
end

-- A request with the access token; a token that has expired is replaced once.
local function with_access(self, method, path, body)
    local answer, message, code = ask(self.app, method, path, body, self.access_token)
    if answer or (code ~= "InvalidSession" and code ~= 401) then return answer, message, code end
    local token
    self:refresh(function(...) token = { ... } end)
    loop.run(function() return token ~= nil end, TIMEOUT + 1)
    if not token or not token[1] then return nil, message, code end
    return ask(self.app, method, path, body, self.access_token)
end

---Seconds until the access token expires (negative: it has), by this machine's clock.
---@return integer
function User:expires_in()
    local claims = auth.decode(self.access_token)
    return claims and type(claims.exp) == "number" and claims.exp - os.time() or -1
end

---Identities and data of the user, as the server knows them.
---@return table|nil profile
---@return string|nil message
---@return string|number|nil code
function User:profile()
    return with_access(self, "GET", AUTH .. "/profile")
end

---Calls a function of the server. Arguments and result may hold any value.
---@param name string
---@return any result nil, message, code on failure; null is syncline.null
function User:call(name, ...)
    local assign = require("syncline.assign")
    local arguments = setmetatable({ ... }, assign.LIST)
    local body = ('{"name":%s,"arguments":%s}'):format(json.encode(name), core.ejson.encode(arguments, "canonical"))
    local answer, text, code = with_access(self, "POST", app_path(self.app, "/functions/call"), body)
    if answer == nil then return nil, text, code end
    return core.ejson.decode(text, assign.LIST, assign.DICTIONARY)
end

---Adds an identity: the user can log in with these credentials too.
---@param credentials table as for log_in
function User:link(credentials)
    local path, body = login_request(credentials)
    local answer, message, code = with_access(self, "POST", app_path(self.app, path .. "?link=true"), body)
    if not answer then return nil, message, code end
    self.access_token = answer.access_token
    return store(self)
end

---Makes an API key; its secret (`key`) is shown this once.
---@param name string
---@return table|nil key
function User:create_api_key(name)
    return ask(self.app, "POST", AUTH .. "/api_keys", json.encode({ name = name }), self.refresh_token)
end

---@return table[]|nil keys
function User:api_keys()
    return ask(self.app, "GET", AUTH .. "/api_keys", nil, self.refresh_token)
end

---@param id string
function User:delete_api_key(id)
    return ask(self.app, "DELETE", AUTH .. "/api_keys/" .. id, nil, self.refresh_token)
end

---Forgets the user on this machine.
function User:forget()
    local path = user_file(self.app)
    if path then os.remove(path) end
    if self.app.user == self then self.app.user = nil end
end

---Ends the login session here and, if it can be reached, on the server.
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function User:log_out()
    self:forget()
    local ok, message, code = ask(self.app, "DELETE", AUTH .. "/session", nil, self.refresh_token)
    if not ok then return nil, message, code end
    return true
end

---Deletes the account on the server with everything that belongs to it.
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function User:delete()
    local ok, message, code = with_access(self, "DELETE", AUTH .. "/delete")
    if not ok then return nil, message, code end
    self:forget()
    return true
end

return setmetatable({ new = App.new }, { __call = function(_, options) return App.new(options) end })
