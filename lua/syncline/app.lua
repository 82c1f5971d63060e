-- Logging in to an app on a server, as Realm SDKs do: users, their tokens, and what hangs on them.

local assign = require("syncline.assign")
local auth = require("syncline.auth")
local check = require("syncline.check")
local core = require("syncline.core")
local loop = require("syncline.loop")
local user_store = require("syncline.user_store")

local json = core.json

---@class syncline.App
---@field id string
---@field base_url string
local App = {}
App.__index = App

---@class syncline.User
---@field id string
---@field provider string how the user logged in: "anonymous", "email", ...
---@field access_token string
local User = {}
User.__index = User

local API = "/api/client/v2.0"

local OPTIONS = { id = "string", base_url = "string", tls = "table", path = "string|boolean", timeout = "number" }
local TLS = { ca = "string", min = "string", verify = "boolean" }
local INSTEAD = { ca_file = "tls = { ca = FILE }", verify = "tls = { verify = false }", url = "base_url = \"https://host:port\"",
    app_id = "id = ID", name = "id = ID" }

-- Provider as people write it: its name in paths, what its credentials hold, and the body of a log-in.
local PROVIDERS = {
    anonymous = { "anon-user", { reuse = "boolean" }, function() return {} end },
    email = { "local-userpass", { email = "string", password = "string" }, function(c)
        return { username = c.email, password = c.password }
    end },
    api_key = { "api-key", { key = "string" }, function(c) return { key = c.key } end },
    jwt = { "custom-token", { token = "string" }, function(c) return { token = c.token } end },
    ["function"] = { "custom-function", { payload = "table" }, function(c) return c.payload or {} end },
}

local REUSE_TIMEOUT = 5 -- seconds that the server gets to say whether it still knows a stored user

-- ---- requests ---------------------------------------------------------------------------------------

-- The value of a good answer and its text, or nil, message, code.
local function read_answer(answer)
    local body = answer.body ~= "" and json.decode(answer.body) or nil
    if answer.status >= 200 and answer.status <= 299 then
        if body == nil then body = {} end
        return body, answer.body
    end
    local text = type(body) == "table" and type(body.error) == "string" and body.error
        or ("the server answered with status %d"):format(answer.status)
    return nil, text, answer.status
end

-- Calls done(body, text) or done(nil, message, code) from inside the loop, never before it returns.
local function send(self, method, path, body, token, done, timeout)
    local headers = { Accept = "application/json" }
    if body then headers["Content-Type"] = "application/json" end
    if token then headers.Authorization = "Bearer " .. token end
    local call, message, code = loop.get():request({
        url = (self.host or self.base_url) .. API .. path, method = method, headers = headers,
        body = type(body) == "table" and json.encode(body) or body, tls = self.tls, timeout = timeout or self.timeout,
        on_done = function(answer, why, number)
            if answer then return done(read_answer(answer)) end
            done(nil, ("cannot reach %s: %s"):format(self.host or self.base_url, why), number)
        end,
    })
    if not call then loop.get():timer(0, function() done(nil, message, code) end) end
end

-- Every function that asks the server has two forms: with a function as its last argument it returns true at
-- once, and that function gets the outcome from inside the loop; without one it waits. `start(done)` begins.
local function outcome(what, on_done, start)
    if on_done ~= nil then
        check.argument(what .. ", the function that hears of the outcome", on_done, "function")
        start(on_done)
        return true
    end
    if loop.get():stepping() then
        check.fail("%s waits for the server, which a callback cannot do: give it a function that hears of the outcome as " ..
            "its last argument", what)
    end
    local result
    start(function(...) result = { ... } end)
    local ok, message, code = loop.run(function() return result ~= nil end)
    if result then return result[1], result[2], result[3] end
    if not ok then return nil, message, code end
    return nil, "stopped while waiting for the server", "cancelled"
end

-- A request whose answer matters only by being a good one.
local function send_for_ok(self, method, path, body, token, done)
    send(self, method, path, body, token, function(answer, message, code)
        if answer then done(true) else done(nil, message, code) end
    end)
end

-- ---- remembering users ------------------------------------------------------------------------------

local warned = false

-- Writes what has changed: one user, or what holds for all.
local function save(self, user)
    if not self.path then return true end
    local ok, message = user_store.update(self.path, function(stored)
        if user then
            stored.users[user.id] = self.users[user.id] and { access_token = user.access_token,
                refresh_token = user.refresh_token, device_id = user.device_id, provider = user.provider } or nil
        end
        stored.current, stored.host, stored.ws_host = self.current, self.host, self.ws_host
    end)
    if ok or self.path_given then return ok, message end
    if not warned then
        warned = true
        io.stderr:write(("syncline: the user cannot be remembered (%s), so the next start of this program will be another one; " ..
            "give syncline.app a 'path', or path = false if that is meant\n"):format(message))
    end
    return true
end

local function new_user(self, id, facts)
    local user = self.users[id] or setmetatable({ app = self, id = id }, User)
    user.access_token, user.refresh_token = facts.access_token, facts.refresh_token
    user.device_id, user.provider = facts.device_id, facts.provider
    self.users[id] = user
    return user
end

local function load(self)
    local stored, message = user_store.read(self.path)
    if not stored then return nil, message end
    for id, facts in pairs(stored.users) do new_user(self, id, facts) end
    self.current = stored.current
    self.host, self.ws_host = stored.host, stored.ws_host
    return true
end

-- ---- the app ----------------------------------------------------------------------------------------

---An app on a server.
---
---Options: `id`; `base_url` (`https://host:port`); `tls = {ca=, min=, verify=}`; `timeout` of requests in
---seconds; `path`: the file that remembers users (tokens; only its owner may read it). Default: one per app and
---server in `$XDG_STATE_HOME/syncline/users`, else `~/.local/state/syncline/users`. false: they are forgotten when the
---program ends.
---@param options table
---@return syncline.App|nil app
---@return string|nil message
---@return string|nil code
function App.new(options)
    check.options("syncline.app", options, OPTIONS, INSTEAD)
    check.optional("syncline.app, tls", options.tls, TLS, { ca_file = "ca = FILE", tls_min = "min = \"1.2\"" })
    if not options.id then check.fail("syncline.app: 'id' is missing, the id of the app on the server (often \"default\")") end
    if not options.base_url then check.fail("syncline.app: 'base_url' is missing: \"https://host:port\" of the server") end
    local base_url = options.base_url:gsub("/+$", "")
    if not base_url:match("^https?://[^/]") then
        check.fail("syncline.app: 'base_url' must begin with https:// or http://, got '%s'", options.base_url)
    end
    local path = options.path
    if path == nil or path == true then path = user_store.default_path(options.id, base_url) end
    local self = setmetatable({
        id = options.id, base_url = base_url, tls = options.tls, path = path or nil, timeout = options.timeout or 30,
        path_given = type(options.path) == "string", users = {},
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
    local place = { base_url = self.base_url, tls = self.tls, timeout = self.timeout }
    send(place, "GET", ("/app/%s/location"):format(self.id), nil, nil, function(answer, message, code)
        if not answer then return done(nil, message, code) end
        if type(answer.hostname) ~= "string" or type(answer.ws_hostname) ~= "string" then
            return done(nil, ("'%s' is no server of apps: its answer about the location names no hosts"):format(self.base_url),
                "protocol")
        end
        self.host, self.ws_host, self.located = answer.hostname, answer.ws_hostname, true
        save(self)
        done(true)
    end)
end

-- Calls start() when it is known where the app lives, else done(nil, message, code).
local function located(self, done, start)
    self:locate(function(ok, message, code)
        if not ok then return done(nil, message, code) end
        start()
    end)
end

-- Provider in the path and body of a log-in.
local function login_body(what, credentials)
    check.argument(what, credentials, "table")
    local provider = PROVIDERS[credentials.provider]
    if not provider then check.one_of(what .. ": provider", credentials.provider, PROVIDERS) end
    local fields = { provider = "string" }
    for name, kind in pairs(provider[2]) do fields[name] = kind end
    check.options(what, credentials, fields)
    local body = { options = { device = { sdk = "syncline", sdkVersion = "0.1.0", platform = "Lua" } } }
    for member, value in pairs(provider[3](credentials)) do body[member] = value end
    return provider[1], body
end

local function stored_anonymous(self)
    local found
    for id, user in pairs(self.users) do
        if user.provider == "anonymous" and user.refresh_token and (not found or id == self.current) then found = user end
    end
    return found
end

-- The stored user, unless the server says that it is one no more: then otherwise() is called.
local function reuse(self, user, done, otherwise)
    user:refresh(function(token, _, code)
        if not token and code == 401 then
            user:forget()
            return otherwise()
        end
        -- A server that cannot be asked now says nothing about the user: programs start without one, too.
        self.current = user.id
        local ok, message = save(self)
        if ok then done(user) else done(nil, message, "storage") end
    end, math.min(self.timeout, REUSE_TIMEOUT))
end

---Logs in: `{provider = "anonymous"}`, `{provider = "email", email=, password=}`,
---`{provider = "api_key", key=}`, `{provider = "jwt", token=}`, `{provider = "function", payload=}`.
---
---An anonymous user who is remembered (see `syncline.app`) is used again, also without a network, because what
---belongs to an anonymous user can be reached by nobody else; `reuse = false` asks for another one.
---
---With `on_done(user, message, code)` it returns true at once; the function is called from inside the loop, and
---may itself call any such function. So do all functions of apps and users that take `on_done`.
---@param credentials table
---@param on_done nil|fun(user: syncline.User|nil, message: string|nil, code: string|number|nil)
---@return syncline.User|true|nil user
---@return string|nil message
---@return string|number|nil code
function App:log_in(credentials, on_done)
    local name, body = login_body("app:log_in", credentials)
    return outcome("app:log_in", on_done, function(done)
        local function log_in()
            located(self, done, function()
                local path = ("/app/%s/auth/providers/%s/login"):format(self.id, name)
                send(self, "POST", path, body, nil, function(answer, message, code)
                    if not answer then return done(nil, message, code) end
                    answer.provider = credentials.provider
                    local user = new_user(self, answer.user_id, answer)
                    self.current = user.id
                    local ok, reason = save(self, user)
                    if ok then done(user) else done(nil, reason, "storage") end
                end)
            end)
        end
        local known = credentials.provider == "anonymous" and credentials.reuse ~= false and stored_anonymous(self)
        if known then reuse(self, known, done, log_in) else log_in() end
    end)
end

---The user who logged in last, or was switched to, and has not logged out; also without network.
---@return syncline.User|nil
function App:current_user()
    local user = self.current and self.users[self.current]
    return user and user.refresh_token and user or nil
end

---Every user that is remembered, by id; those who logged out are there without being logged in.
---@return syncline.User[]
function App:all_users()
    local users = {}
    for _, user in pairs(self.users) do users[#users + 1] = user end
    table.sort(users, function(a, b) return a.id < b.id end)
    return users
end

---Makes another user who is logged in the current one.
---@param user syncline.User
---@return boolean|nil ok
---@return string|nil message
---@return string|nil code
function App:switch_user(user)
    if type(user) ~= "table" or self.users[user.id] ~= user then check.fail("app:switch_user: a user of this app expected") end
    if not user:is_logged_in() then return nil, "this user has logged out; log in again", "logged_out" end
    self.current = user.id
    local ok, message = save(self)
    if not ok then return nil, message, "storage" end
    return true
end

---Logs a user out, as `user:log_out`.
---@param user syncline.User|nil default: the current one
---@param on_done nil|fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function App:log_out(user, on_done)
    user = user or self:current_user()
    if not user then return nil, "nobody is logged in", "logged_out" end
    return user:log_out(on_done)
end

local function email_call(self, what, action, body, on_done)
    return outcome("app:" .. what, on_done, function(done)
        located(self, done, function()
            send_for_ok(self, "POST", ("/app/%s/auth/providers/local-userpass/%s"):format(self.id, action), body, nil, done)
        end)
    end)
end

---Registers an account with email address and password.
---@param email string
---@param password string
---@param on_done nil|fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function App:register(email, password, on_done)
    return email_call(self, "register", "register", { email = email, password = password }, on_done)
end

---Confirms an account with the token and token id of the mail.
---@param token string
---@param token_id string
---@param on_done nil|fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function App:confirm(token, token_id, on_done)
    return email_call(self, "confirm", "confirm", { token = token, tokenId = token_id }, on_done)
end

---Asks for another confirmation mail.
---@param email string
---@param on_done nil|fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function App:resend_confirmation(email, on_done)
    return email_call(self, "resend_confirmation", "confirm/send", { email = email }, on_done)
end

---Asks for a mail with which the password can be set anew.
---@param email string
---@param on_done nil|fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function App:send_reset(email, on_done)
    return email_call(self, "send_reset", "reset/send", { email = email }, on_done)
end

---Sets a new password with the token and token id of the mail. Ends all login sessions of the user.
---@param password string
---@param token string
---@param token_id string
---@param on_done nil|fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function App:reset_password(password, token, token_id, on_done)
    return email_call(self, "reset_password", "reset", { password = password, token = token, tokenId = token_id }, on_done)
end

-- ---- users ------------------------------------------------------------------------------------------

---The URL of the sync server for this user.
---@return string
function User:sync_url()
    return self.app.ws_host or (self.app.base_url:gsub("^http", "ws"))
end

---Gets a new access token; `done(token)` or `done(nil, message, code)` is called from inside the loop.
---@param done fun(token: string|nil, message: string|nil, code: string|number|nil)
---@param timeout number|nil seconds; default: the app's
function User:refresh(done, timeout)
    send(self.app, "POST", "/auth/session", nil, self.refresh_token, function(answer, message, code)
        if not answer then return done(nil, message, code) end
        if type(answer.access_token) ~= "string" then return done(nil, "the server gave no token", "protocol") end
        self.access_token = answer.access_token
        save(self.app, self)
        done(self.access_token)
    end, timeout)
end

---@return boolean
function User:is_logged_in()
    return self.refresh_token ~= nil
end

---The claims of the access token: `exp`, `user_data` and so on.
---@return table
function User:claims()
    return auth.decode(self.access_token or "") or {}
end

-- A request with the access token; one that has expired is replaced, once.
local function with_access(self, method, path, body, done)
    send(self.app, method, path, body, self.access_token, function(answer, text, code)
        if answer ~= nil or code ~= 401 then return done(answer, text, code) end
        self:refresh(function(token)
            if not token then return done(nil, text, code) end
            send(self.app, method, path, body, self.access_token, done)
        end)
    end)
end

---What the server knows of the user: `identities`, `data`, `custom_data`, `type`.
---@param on_done nil|fun(profile: table|nil, message: string|nil, code: string|number|nil)
---@return table|true|nil profile
---@return string|nil message
---@return string|number|nil code
function User:profile(on_done)
    return outcome("user:profile", on_done, function(done)
        with_access(self, "GET", "/auth/profile", nil, function(answer, message, code)
            if answer == nil then return done(nil, message, code) end
            done(answer)
        end)
    end)
end

local function call(self, what, on_done, name, ...)
    check.argument(what .. ", the name of the function", name, "string")
    local arguments = core.ejson.encode(setmetatable({ ... }, assign.LIST), "canonical")
    local body = ('{"arguments":%s,"name":%s}'):format(arguments, json.encode(name))
    return outcome(what, on_done, function(done)
        with_access(self, "POST", ("/app/%s/functions/call"):format(self.app.id), body, function(answer, text, code)
            if answer == nil then return done(nil, text, code) end
            done(core.ejson.decode(text, assign.LIST, assign.DICTIONARY))
        end)
    end)
end

---Calls a function of the app with these arguments and returns its result (syncline.null for nothing).
---@param name string
---@param ... any
---@return any result
---@return string|nil message
---@return string|number|nil code
function User:call(name, ...)
    return call(self, "user:call", nil, name, ...)
end

---As `user:call`, but returns at once; `on_done(result, message, code)` is called from inside the loop.
---@param on_done fun(result: any, message: string|nil, code: string|number|nil)
---@param name string
---@param ... any
---@return boolean
function User:call_async(on_done, name, ...)
    check.argument("user:call_async, the function that hears of the outcome", on_done, "function")
    return call(self, "user:call_async", on_done, name, ...)
end

---Gives the user one more way to log in.
---@param credentials table as for `app:log_in`
---@param on_done nil|fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function User:link(credentials, on_done)
    local name, body = login_body("user:link", credentials)
    local path = ("/app/%s/auth/providers/%s/login?link=true"):format(self.app.id, name)
    return outcome("user:link", on_done, function(done)
        with_access(self, "POST", path, body, function(answer, message, code)
            if not answer then return done(nil, message, code) end
            -- Whoever has another way to log in is a user of that kind from now on.
            self.access_token, self.provider = answer.access_token, credentials.provider
            local ok
            ok, message = save(self.app, self)
            if ok then done(true) else done(nil, message, "storage") end
        end)
    end)
end

local function key_call(self, what, method, path, body, on_done)
    return outcome("user:" .. what, on_done, function(done)
        send(self.app, method, path, body, self.refresh_token, function(answer, message, code)
            if answer == nil then return done(nil, message, code) end
            done(method == "DELETE" or answer)
        end)
    end)
end

---Makes an API key; its secret, `key`, is shown this once.
---@param name string letters, digits, "_" and "-"
---@param on_done nil|fun(key: table|nil, message: string|nil, code: string|number|nil)
---@return table|true|nil key
---@return string|nil message
---@return string|number|nil code
function User:create_api_key(name, on_done)
    return key_call(self, "create_api_key", "POST", "/auth/api_keys", { name = name }, on_done)
end

---@param on_done nil|fun(keys: table[]|nil, message: string|nil, code: string|number|nil)
---@return table[]|true|nil keys without their secrets
---@return string|nil message
---@return string|number|nil code
function User:api_keys(on_done)
    return key_call(self, "api_keys", "GET", "/auth/api_keys", nil, on_done)
end

---@param id string
---@param on_done nil|fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function User:delete_api_key(id, on_done)
    return key_call(self, "delete_api_key", "DELETE", "/auth/api_keys/" .. id, nil, on_done)
end

local function remove(self)
    self.refresh_token, self.access_token = nil, nil
    self.app.users[self.id] = nil
    if self.app.current == self.id then self.app.current = nil end
    save(self.app, self)
end

---Deletes the account on the server with everything that belongs to it.
---@param on_done nil|fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function User:delete(on_done)
    return outcome("user:delete", on_done, function(done)
        with_access(self, "DELETE", "/auth/delete", nil, function(answer, message, code)
            if not answer then return done(nil, message, code) end
            remove(self)
            done(true)
        end)
    end)
end

---Forgets the user's tokens here; the server is not told. An anonymous user, who could not log in again, goes from
---`app:all_users()`, too.
function User:forget()
    if self.provider == "anonymous" or not self.provider then return remove(self) end
    self.refresh_token, self.access_token = nil, nil
    if self.app.current == self.id then self.app.current = nil end
    save(self.app, self)
end

---Logs out, here and on the server. Sync sessions of the user should be closed before.
---@param on_done nil|fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function User:log_out(on_done)
    return outcome("user:log_out", on_done, function(done)
        local token = self.refresh_token
        self:forget()
        if not token then return loop.get():timer(0, function() done(true) end) end
        send(self.app, "DELETE", "/auth/session", nil, token, function(answer, message, code)
            if not answer and code ~= 401 then return done(nil, message, code) end
            done(true)
        end)
    end)
end

return App
