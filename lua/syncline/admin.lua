-- Apps and users of a server, for its operator: asks the server if it runs, else opens its files.

local auth = require("syncline.auth")
local backup = require("syncline.server.backup")
local check = require("syncline.check")
local core = require("syncline.core")
local disk = require("syncline.disk")
local handler = require("syncline.server.admin")
local loop = require("syncline.loop")
local operations = require("syncline.server.operations")
local server_config = require("syncline.server.config")
local services = require("syncline.services")
local stored_apps = require("syncline.server.stored_apps")

local json = core.json

---@class syncline.Admin
---@field running boolean whether a running server does the work
local Admin = {}
Admin.__index = Admin

-- ---- a running server -------------------------------------------------------------------------------

local Remote = {}
Remote.__index = Remote

local TIMEOUT = 30

-- One request; waits for its answer.
local function send(self, method, path, body, token, timeout)
    local result
    local call, message, code = loop.get():request({
        url = self.url .. "/admin/v1" .. path, socket = self.socket, method = method, timeout = timeout or TIMEOUT,
        max_body = 256 * 1024 * 1024,
        headers = { Authorization = token and "Bearer " .. token, Accept = "application/json", ["Content-Type"] = "application/json" },
        body = body and json.encode(body) or nil,
        on_done = function(...) result = { ... } end,
    })
    if not call then return nil, message, code end
    loop.run(function() return result ~= nil end, (timeout or TIMEOUT) + 5)
    if not result then return nil, "the server does not answer", "network" end
    local answer = result[1]
    if not answer then return nil, result[2], "network" end
    local value = answer.body ~= "" and json.decode(answer.body) or nil
    if answer.status >= 200 and answer.status <= 299 then return value == nil and true or value end
    local text = type(value) == "table" and type(value.error) == "string" and value.error
        or ("the server answered with status %d"):format(answer.status)
    local name = type(value) == "table" and type(value.error_code) == "string" and value.error_code or answer.status
    return nil, text, name
end

-- Whether it is really the server that wrote the file with the secret. The file of a server that was killed stays
-- behind, and then somebody else may listen in its place, who shall learn nothing.
local function is_proven(self)
    local nonce = auth.hex(auth.random(32))
    local answer = send(self, "GET", "/proof?nonce=" .. nonce, nil, nil, 5)
    return type(answer) == "table" and type(answer.proof) == "string"
        and auth.equal(answer.proof, handler.proof(self.token, nonce))
end

local function ask(self, method, path, body)
    if not is_proven(self) then return nil, "the server does not answer any more", "network" end
    return send(self, method, path, body, self.token)
end

local function find_server(storage)
    local text = disk.exists(storage .. "/admin.json") and disk.read(storage .. "/admin.json")
    local known = text and json.decode(text)
    if type(known) ~= "table" or type(known.token) ~= "string" then return nil end
    local remote = setmetatable({ url = known.url, token = known.token }, Remote)
    if known.url == nil then
        remote.url, remote.socket = "http://localhost", storage .. "/admin.sock"
    elseif type(known.url) ~= "string" or not known.url:match("^http://127%.0%.0%.1:%d+$") then
        return nil
    end
    return is_proven(remote) and remote or nil
end

local function app_path(app, rest)
    return "/apps/" .. tostring(app):gsub("[^%w_-]", "_") .. (rest or "")
end

local function user_path(app, id, rest)
    return app_path(app, "/users/" .. tostring(id):gsub("[^%w_.-]", "_") .. (rest or ""))
end

function Remote:apps() return ask(self, "GET", "/apps") end
function Remote:app(id) return ask(self, "GET", app_path(id)) end
function Remote:create_app(id, definition) return ask(self, "POST", "/apps", { id = id, definition = definition }) end
function Remote:users(app) return ask(self, "GET", app_path(app, "/users")) end
function Remote:user(app, id) return ask(self, "GET", user_path(app, id)) end
function Remote:create_user(app, facts) return ask(self, "POST", app_path(app, "/users"), facts) end
function Remote:create_link(app, facts) return ask(self, "POST", app_path(app, "/links"), facts) end
function Remote:delete_user(app, id) return ask(self, "DELETE", user_path(app, id)) end

function Remote:set_disabled(app, id, disabled)
    return ask(self, "PUT", user_path(app, id, disabled and "/disable" or "/enable"))
end

function Remote:belongings(app, id) return ask(self, "GET", user_path(app, id, "/belongings")) end
function Remote:erase_user(app, id) return ask(self, "POST", user_path(app, id, "/erase"), {}) end

function Remote:realms(options)
    return ask(self, "GET", "/realms" .. (options.app and "?app=" .. tostring(options.app):gsub("[^%w_-]", "_") or ""))
end

function Remote:erase_realm(app, partition)
    return ask(self, "POST", app_path(app, "/realms/erase"), { partition = partition })
end

function Remote:explain(app, user, partition)
    return ask(self, "POST", app_path(app, "/permissions/explain"), { user = user, partition = partition })
end

function Remote:keys() return ask(self, "GET", "/keys") end
function Remote:rotate_keys(options) return ask(self, "POST", "/keys", options) end
function Remote:compact(options) return ask(self, "POST", "/compaction", options) end
function Remote:compaction() return ask(self, "GET", "/compaction") end

-- ---- the files --------------------------------------------------------------------------------------

local function open_files(storage, config)
    local checked = server_config.check(config)
    checked.storage = storage
    local apps, message = stored_apps.merge(storage, checked)
    if not apps then return nil, message, "invalid" end
    for _, folder in ipairs({ storage, storage .. "/users" }) do
        local ok
        ok, message = disk.make_folder(folder)
        if not ok then return nil, message, "storage" end
    end
    local keys
    keys, message = server_config.keys(checked, true)
    if not keys then return nil, message, "storage" end
    local opened, code
    opened, message, code = services.open({
        apps = apps, directory = storage .. "/users", keyring = keys,
        base_url = checked.base_url or "https://localhost", clock = os.time,
    })
    if not opened then return nil, message, code end
    return opened, operations.on_storage(opened, storage, checked.apps)
end

-- ---- the interface ----------------------------------------------------------------------------------

---Opens the apps and users of the server with this storage folder: through the server if it runs, else
---its files. `config` is the server's configuration, if it has one. Not to be used inside a callback of
---the loop.
---@param storage string
---@param config table|nil
---@return syncline.Admin|nil admin
---@return string|nil message
---@return string|number|nil code
function Admin.open(storage, config)
    check.argument("admin.open, the storage folder", storage, "string")
    local remote = find_server(storage)
    if remote then return setmetatable({ running = true, target = remote }, Admin) end
    local opened, target, code = open_files(storage, config)
    if not opened then return nil, target, code end
    return setmetatable({ running = false, target = target, opened = opened }, Admin)
end

---Closes the files, if they are open.
function Admin:close()
    if self.opened then self.opened:close() end
    self.opened, self.target = nil, nil
end

---All apps: `id`, `source` ("configuration" or "storage"), `providers`, `permissions` (rules, or
---"function"), `access_token_lifetime`, `refresh_token_lifetime`, `users` (how many).
---@return table[]|nil apps
---@return string|nil message
---@return string|number|nil code "not_found", "exists", "invalid", "storage" or "network"; so below
function Admin:apps() return self.target:apps() end

---One app.
---@param id string
---@return table|nil app
---@return string|nil message
---@return string|number|nil code
function Admin:app(id) return self.target:app(id) end

---Makes an app. The definition has what an app of the configuration has, as far as it is no function:
---`anonymous`, `email`, `api_key`, `jwt`, `permissions`, `origins`, `access_token_lifetime`,
---`refresh_token_lifetime`. A running server has it at once.
---@param id string
---@param definition table
---@return table|nil app
---@return string|nil message
---@return string|number|nil code
function Admin:create_app(id, definition) return self.target:create_app(id, definition or {}) end

---Users of an app, oldest first: `id`, `email`, `disabled`, `created`, `identities`, `data`, `custom_data`.
---@param app string
---@return table[]|nil users
---@return string|nil message
---@return string|number|nil code
function Admin:users(app) return self.target:users(app) end

---One user.
---@param app string
---@param id string
---@return table|nil user
---@return string|nil message
---@return string|number|nil code
function Admin:user(app, id) return self.target:user(app, id) end

---Creates a user: `email` and perhaps `password` (without it the user sets one by a reset mail),
---`subject` (of an issuer's tokens), `identities` of other services to keep
---(`{ { provider = "google", "apple" or "facebook", id = text }, ... }`), at least one of these; perhaps `id`, to
---keep an id from elsewhere, `data`, `custom_data` and `disabled`.
---@param app string
---@param facts table
---@return table|nil user
---@return string|nil message
---@return string|number|nil code
function Admin:create_user(app, facts) return self.target:create_user(app, facts) end

---A link by which the owner of an address sets a password, for servers that send no mails: `link`, `to`,
---`expires` (Unix seconds). `facts`: `email`, and `purpose` "reset" (default) or "confirm". Links made before are void.
---@param app string
---@param facts table
---@return table|nil link
---@return string|nil message
---@return string|number|nil code
function Admin:create_link(app, facts) return self.target:create_link(app, facts) end

---Ends all sessions and connections of a user and lets it log in no more.
---@param app string
---@param id string
---@return table|nil user
---@return string|nil message
---@return string|number|nil code
function Admin:disable_user(app, id) return self.target:set_disabled(app, id, true) end

---@param app string
---@param id string
---@return table|nil user
---@return string|nil message
---@return string|number|nil code
function Admin:enable_user(app, id) return self.target:set_disabled(app, id, false) end

---All realms, or those of one app, without changing anything: `app`, `partition` (Extended JSON), `meaning` (for people),
---`path`, `bytes` (on disk), `devices` (that have not expired), `users` (ids of their users), `last_seen` (Unix seconds of the
---latest of them, 0: never), or `error`.
---@param options { app: string|nil }|nil
---@return table[]|nil realms
---@return string|nil message
---@return string|number|nil code
function Admin:realms(options) return self.target:realms({ app = options and options.app }) end

---Removes the realm of a partition for good, with its history. Devices that are connected come back to an empty realm and
---are told to do a client reset. Nobody is asked again.
---@param app string
---@param partition string Extended JSON: "text" with its quotes, 42, null, {"$oid":"..."}
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function Admin:erase_realm(app, partition) return self.target:erase_realm(app, partition) end

---What `erase_user` would remove: `user` (nil if there is no account) and `realms`, as `Admin:realms` has them.
---@param app string
---@param id string
---@return { user: table|nil, realms: table[] }|nil belongings
---@return string|nil message
---@return string|number|nil code
function Admin:belongings(app, id) return self.target:belongings(app, id) end

---Removes a user with identities, password, keys and sessions, makes all tokens of the user void, and removes the realms that
---belong to the user alone: those whose partition is the id of the user, or a text with the id as a word of its own in it
---("user=ID"), and with no id of another user. Also for a user without an account, whom tokens of an issuer name.
---@param app string
---@param id string
---@return { account: boolean, realms: integer }|nil removed
---@return string|nil message
---@return string|number|nil code
function Admin:erase_user(app, id) return self.target:erase_user(app, id) end

---Removes a user with identities, keys and sessions. Realms stay.
---@param app string
---@param id string
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function Admin:delete_user(app, id) return self.target:delete_user(app, id) end

---Copies everything of a server's storage folder that has to be kept into a new folder, also while the server runs: realms,
---users, keys, apps made by command, certificates. Each realm is copied as it is at one moment. The folder appears under its
---name when it is whole, and can take the place of the storage folder.
---@param storage string
---@param to string a name at which nothing is
---@return { realms: integer, bytes: integer }|nil copied
---@return string|nil message
---@return string|number|nil code
function Admin.backup(storage, to)
    check.argument("admin.backup, the storage folder", storage, "string")
    check.argument("admin.backup, the new folder", to, "string")
    return backup.run(storage, to)
end

---The keys that tokens are signed with: `id`, and `until` (Unix seconds) for earlier ones, which are still accepted.
---@return table[]|nil keys
---@return string|nil message
---@return string|number|nil code
function Admin:keys() return self.target:keys() end

---From now on a new key signs tokens, also in a server that runs. Tokens of the one before are accepted until the last
---of them that a log-in gave has expired; with `now = true` not any more: everybody has to log in again.
---@param options { now: boolean|nil }|nil
---@return table[]|nil keys
---@return string|nil message
---@return string|number|nil code
function Admin:rotate_keys(options) return self.target:rotate_keys({ now = options and options.now or false }) end

---What a user may do with a partition, and why: `access`, `lines` (one per rule), `known` (is there such
---a user).
---@param app string
---@param user string
---@param partition string Extended JSON: "text" with its quotes, 42, null, {"$oid":"..."}
---@return table|nil explanation
---@return string|nil message
---@return string|number|nil code
function Admin:explain(app, user, partition) return self.target:explain(app, user, partition) end

---Compacts the histories of all realms, or of those of one app: takes out what later changes have made
---void, as far as no client needs it any more. Waits until it is done. With `client_ttl` (seconds, or
---like "90d") clients that stayed away for longer expire first: they will have to download a fresh copy.
---One table per realm: `app`, `partition`, `path`, `entries` (looked at), `emptied`, `bytes_before`,
---`bytes_after`, `limit` (the version up to which it went), `holder` (ident of the client that needs what
---follows, 0 if none), `holder_seen` (Unix seconds), `expired` (clients), or `error`.
---@param options { app: string|nil, client_ttl: integer|string|nil }|nil
---@return table[]|nil realms
---@return string|nil message
---@return string|number|nil code
function Admin:compact(options)
    local list, message, code = self.target:compact(options or {})
    if not list or not self.running then return list, message, code end
    local index, waits = {}, false
    for _, realm in ipairs(list) do
        index[realm.path] = realm
        waits = waits or realm.running
    end
    while waits do
        local over = false
        loop.get():timer(0.1, function() over = true end)
        loop.run(function() return over end)
        local now
        now, message, code = self.target:compaction()
        if not now then return nil, message, code end
        waits = false
        for _, realm in ipairs(now) do
            for name, value in pairs(index[realm.path] and realm or {}) do index[realm.path][name] = value end
            waits = waits or (index[realm.path] ~= nil and realm.running)
        end
    end
    return list
end

return Admin
