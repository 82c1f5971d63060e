-- Logging in to an app on a server, as Realm SDKs do: users, their tokens, and what hangs on them.

local assign = require("syncline.assign")
local auth = require("syncline.auth")
local check = require("syncline.check")
local core = require("syncline.core")
local disk = require("syncline.disk")
local loop = require("syncline.loop")

local json = core.json

---@class syncline.App
---@field id string
---@field base_url string
local App = {}
App.__index = App

---@class syncline.User
---@field id string
---@field access_token string
local User = {}
User.__index = User

local API = "/api/client/v2.0"

local OPTIONS = { id = "string", base_url = "string", tls = "table", path = "string", timeout = "number" }
local TLS = { ca = "string", min = "string", verify = "boolean" }
local INSTEAD = { ca_file = "tls = { ca = FILE }", verify = "tls = { verify = false }", url = "base_url = \"https://host:port\"",
    app_id = "id = ID", name = "id = ID" }

-- Provider as people write it, its name in paths, and the body of a login from the credentials.
local PROVIDERS = {
    anonymous = { "anon-user", function() return {} end },
    email = { "local-userpass", function(c) return { username = c.email, password = c.password } end },
    api_key = { "api-key", function(c) return { key = c.key } end },
    jwt = { "custom-token", function(c) return { token = c.token } end },
    ["function"] = { "custom-function", function(c) return c.payload or {} end },
}

-- ---- requests ---------------------------------------------------------------------------------------

-- The value of a good answer and its text, or nil, message, code.
local function read_answer(answer, message, code)
    if not answer then return nil, message, code end
    local body = answer.body ~= "" and json.decode(answer.body) or nil
    if answer.status >= 200 and answer.status <= 299 then
        if body == nil then body = {} end
        return body, answer.body
    end
    local text = type(body) == "table" and type(body.error) == "string" and body.error
        or ("the server answered with status %d"):format(answer.status)
    return nil, text, answer.status
end

-- Calls done(body) or done(nil, message, code) from inside the loop.
local function send(self, method, path, body, token, done, timeout)
    local headers = { Accept = "application/json" }
    if body then headers["Content-Type"] = "application/json" end
    if token then headers.Authorization = "Bearer " .. token end
    local call, message, code = loop.get():request({
        url = (self.host or self.base_url) .. API .. path, method = method, headers = headers,
        body = type(body) == "table" and json.encode(body) or body, tls = self.tls, timeout = timeout or self.timeout,
        on_done = function(...) done(read_answer(...)) end,
    })
    if not call then return nil, message, code end
    return call
end

local function request(self, method, path, body, token)
    local result
    local call, message, code = send(self, method, path, body, token, function(...) result = { ... } end)
    if not call then return nil, message, code end
    loop.run(function() return result ~= nil end)
    if not result then return nil, "stopped while waiting for the server", "cancelled" end
    return result[1], result[2], result[3]
end

-- ---- remembering users ------------------------------------------------------------------------------

local function save(self)
    if not self.path then return true end
    local users = {}
    for id, user in pairs(self.users) do
        users[id] = { access_token = user.access_token, refresh_token = user.refresh_token, device_id = user.device_id }
    end
    return disk.write_private(self.path, json.encode({ users = users, current = self.current, host = self.host,
        ws_host = self.ws_host }))
end

local function new_user(self, id, facts)
    local user = setmetatable({
        app = self, id = id, access_token = facts.access_token, refresh_token = facts.refresh_token,
        device_id = facts.device_id,
    }, User)
    self.users[id] = user
    return user
end

local function load(self)
    if not self.path or not disk.exists(self.path) then return true end
    local text, message = disk.read(self.path)
    if not text then return nil, message end
    local stored = json.decode(text)
    if type(stored) ~= "table" or type(stored.users) ~= "table" then
        return nil, ("'%s' holds no users; remove it to log in again"):format(self.path)
    end
    for id, facts in pairs(stored.users) do new_user(self, id, facts) end
    self.current = stored.current
    self.host, self.ws_host = stored.host, stored.ws_host
    return true
end

-- ---- the app ----------------------------------------------------------------------------------------

---An app on a server.
---
---Options: `id`; `base_url` (`https://host:port`); `tls = {ca=, min=, verify=}`; `path` (a file that
---remembers users, so that a program can start offline); `timeout` of requests in seconds.
---@param options table
---@return syncline.App|nil app
---@return string|nil message
function App.new(options)
    check.options("syncline.app", options, OPTIONS, INSTEAD)
    check.optional("syncline.app, tls", options.tls, TLS, { ca_file = "ca = FILE", tls_min = "min = \"1.2\"" })
    if not options.id then check.fail("syncline.app: 'id' is missing, the id of the app on the server (often \"default\")") end
    if not options.base_url then check.fail("syncline.app: 'base_url' is missing: \"https://host:port\" of the server") end
    local self = setmetatable({
        id = options.id, base_url = (options.base_url:gsub("/+$", "")), tls = options.tls, path = options.path,
        timeout = options.timeout or 30, users = {},
    }, App)
    local ok, message = load(self)
    if not ok then return nil, message, "storage" end
    return self
end

---Asks where the app lives, and remembers it for starts without network; `done(true)` or
---`done(nil, message, code)` is called from inside the loop. Logging in does it, and so does a session
---whose server has moved.
---@param done fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
function App:locate(done)
    local path = ("/app/%s/location"):format(self.id)
    local call, message, code = send({ base_url = self.base_url, tls = self.tls, timeout = self.timeout }, "GET", path,
        nil, nil, function(answer, why, number)
            if not answer then return done(nil, why, number) end
            if type(answer.hostname) ~= "string" or type(answer.ws_hostname) ~= "string" then
                return done(nil, "the answer about the location names no hosts", "protocol")
            end
            self.host, self.ws_host, self.located = answer.hostname, answer.ws_hostname, true
            save(self)
            done(true)
        end)
    if not call then done(nil, message, code) end
end

local function locate(self)
    local result
    self:locate(function(...) result = { ... } end)
    loop.run(function() return result ~= nil end)
    if not result then return nil, "stopped while waiting for the server", "cancelled" end
    return result[1], result[2], result[3]
end

-- Provider in the path and body of a login.
local function login_body(credentials)
    local provider = type(credentials) == "table" and PROVIDERS[credentials.provider]
    if not provider then error("credentials: provider anonymous, email, api_key, jwt or function expected", 3) end
    local body = { options = { device = { sdk = "syncline", sdkVersion = "0.1.0", platform = "Lua" } } }
    for member, value in pairs(provider[2](credentials)) do body[member] = value end
    return provider[1], body
end

---Logs in: `{provider = "anonymous"}`, `{provider = "email", email=, password=}`,
---`{provider = "api_key", key=}`, `{provider = "jwt", token=}`, `{provider = "function", payload=}`.
---@param credentials table
---@return syncline.User|nil user
---@return string|nil message
---@return string|number|nil code
function App:log_in(credentials)
    local name, body = login_body(credentials)
    local ok, message, code = locate(self)
    if not ok then return nil, message, code end
    local answer
    answer, message, code = request(self, "POST", ("/app/%s/auth/providers/%s/login"):format(self.id, name), body)
    if not answer then return nil, message, code end
    local user = new_user(self, answer.user_id, answer)
    self.current = user.id
    ok, message = save(self)
    if not ok then return nil, message, "storage" end
    return user
end

---The user who logged in last and has not logged out, also without network.
---@return syncline.User|nil
function App:current_user()
    return self.current and self.users[self.current] or nil
end

local function email_call(self, action, body)
    local ok, message, code = locate(self)
    if not ok then return nil, message, code end
    local answer
    answer, message, code = request(self, "POST", ("/app/%s/auth/providers/local-userpass/%s"):format(self.id, action), body)
    if not answer then return nil, message, code end
    return true
end

---Registers an account with email address and password.
---@param email string
---@param password string
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function App:register(email, password)
    return email_call(self, "register", { email = email, password = password })
end

---Confirms an account with the token and token id of the mail.
---@param token string
---@param token_id string
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function App:confirm(token, token_id)
    return email_call(self, "confirm", { token = token, tokenId = token_id })
end

---Asks for another confirmation mail.
---@param email string
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function App:resend_confirmation(email)
    return email_call(self, "confirm/send", { email = email })
end

---Asks for a mail with which the password can be set anew.
---@param email string
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function App:send_reset(email)
    return email_call(self, "reset/send", { email = email })
end

---Sets a new password with the token and token id of the mail. Ends all login sessions of the user.
---@param password string
---@param token string
---@param token_id string
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function App:reset_password(password, token, token_id)
    return email_call(self, "reset", { password = password, token = token, tokenId = token_id })
end

-- ---- users ------------------------------------------------------------------------------------------

---The URL of the sync server for this user.
---@return string
function User:sync_url()
    return self.app.ws_host or (self.app.base_url:gsub("^http", "ws"))
end

---Gets a new access token; `done(token)` or `done(nil, message, code)` is called from inside the loop.
---@param done fun(token: string|nil, message: string|nil, code: string|number|nil)
function User:refresh(done)
    local call, message, code = send(self.app, "POST", "/auth/session", nil, self.refresh_token, function(answer, why, number)
        if answer and type(answer.access_token) == "string" then
            self.access_token = answer.access_token
            save(self.app)
            done(self.access_token)
        else
            done(nil, why or "the server gave no token", number)
        end
    end)
    if not call then done(nil, message, code) end
end

---The claims of the access token: `exp`, `user_data` and so on.
---@return table
function User:claims()
    return auth.decode(self.access_token) or {}
end

-- A request with the access token; one that has expired is replaced, once.
local function with_access(self, method, path, body)
    local answer, message, code = request(self.app, method, path, body, self.access_token)
    if answer ~= nil or code ~= 401 then return answer, message, code end
    local token
    self:refresh(function(...) token = { ... } end)
    loop.run(function() return token ~= nil end)
    if not token or not token[1] then return nil, message, code end
    return request(self.app, method, path, body, self.access_token)
end

---What the server knows of the user: `identities`, `data`, `custom_data`, `type`.
---@return table|nil profile
---@return string|nil message
---@return string|number|nil code
function User:profile()
    return with_access(self, "GET", "/auth/profile")
end

---Calls a function of the app with these arguments and returns its result (syncline.null for nothing).
---@param name string
---@param ... any
---@return any result
---@return string|nil message
---@return string|number|nil code
function User:call(name, ...)
    local arguments = core.ejson.encode(setmetatable({ ... }, assign.LIST), "canonical")
    local body = ('{"arguments":%s,"name":%s}'):format(arguments, json.encode(name))
    local answer, text, code = with_access(self, "POST", ("/app/%s/functions/call"):format(self.app.id), body)
    if answer == nil then return nil, text, code end
    return core.ejson.decode(text, assign.LIST, assign.DICTIONARY)
end

---Gives the user one more way to log in.
---@param credentials table as for `app:log_in`
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function User:link(credentials)
    local name, body = login_body(credentials)
    local path = ("/app/%s/auth/providers/%s/login?link=true"):format(self.app.id, name)
    local answer, message, code = with_access(self, "POST", path, body)
    if not answer then return nil, message, code end
    self.access_token = answer.access_token
    return save(self.app)
end

---Makes an API key; its secret, `key`, is shown this once.
---@param name string letters, digits, "_" and "-"
---@return table|nil key
---@return string|nil message
---@return string|number|nil code
function User:create_api_key(name)
    return request(self.app, "POST", "/auth/api_keys", { name = name }, self.refresh_token)
end

---@return table[]|nil keys without their secrets
---@return string|nil message
---@return string|number|nil code
function User:api_keys()
    return request(self.app, "GET", "/auth/api_keys", nil, self.refresh_token)
end

---@param id string
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function User:delete_api_key(id)
    local answer, message, code = request(self.app, "DELETE", "/auth/api_keys/" .. id, nil, self.refresh_token)
    if not answer then return nil, message, code end
    return true
end

---Deletes the account on the server with everything that belongs to it.
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function User:delete()
    local answer, message, code = with_access(self, "DELETE", "/auth/delete")
    if not answer then return nil, message, code end
    self:forget()
    return true
end

---Forgets the user here; the server is not told.
function User:forget()
    self.app.users[self.id] = nil
    if self.app.current == self.id then self.app.current = nil end
    save(self.app)
end

---Logs out, here and on the server. Sync sessions of the user should be closed before.
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function User:log_out()
    local answer, message, code = request(self.app, "DELETE", "/auth/session", nil, self.refresh_token)
    self:forget()
    if not answer and code ~= 401 then return nil, message, code end
    return true
end

return App
