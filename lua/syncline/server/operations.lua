--- What an operator does with the apps of a server: the same for the interface of a running server and
--- for direct access to its files.
local belongings = require("syncline.server.belongings")
local core = require("syncline.core")
local directory = require("syncline.services.directory")
local disk = require("syncline.disk")
local duration = require("syncline.duration")
local partitions = require("syncline.partition")
local permissions = require("syncline.services.permissions")
local realms = require("syncline.server.realms")
local stored_apps = require("syncline.server.stored_apps")
local userpass = require("syncline.services.userpass")

local json = core.json

local operations = {}
operations.__index = operations

---@class syncline.server.Operations
---@field services syncline.services.Services

---Operations on open apps whose files lie in a storage folder.
---@param services syncline.services.Services
---@param storage string
---@param configured table<string, table> apps of the configuration
---@param files table|nil the open realm files, if the server runs
---@return syncline.server.Operations
function operations.on_storage(services, storage, configured, files)
    local stored = {}
    for id in pairs(services.apps) do
        stored[id] = configured[id] == nil or nil
    end
    return setmetatable({ services = services, storage = storage, stored = stored, files = files }, operations)
end

-- Seconds that clocks may differ: an earlier key is accepted so much longer.
local LEEWAY = 60

local NAMES = {
    ["anon-user"] = "anonymous",
    ["local-userpass"] = "email",
    ["api-key"] = "api_key",
    ["custom-token"] = "jwt",
    ["custom-function"] = "function",
    ["oauth2-google"] = "google",
    ["oauth2-apple"] = "apple",
    ["oauth2-facebook"] = "facebook",
}

local function describe_rules(rules)
    if type(rules) == "function" then
        return "function"
    end
    return rules and json.array(rules) or nil
end

local function describe_app(self, app)
    local providers = {}
    for name in pairs(app.providers) do
        providers[#providers + 1] = NAMES[name]
    end
    table.sort(providers)
    return {
        id = app.id,
        source = self.stored[app.id] and "storage" or "configuration",
        providers = json.array(providers),
        permissions = describe_rules(app.permissions),
        schema = app.schema or "additive",
        access_token_lifetime = app.tokens.access_lifetime,
        refresh_token_lifetime = app.tokens.refresh_lifetime,
        users = app.directory:count(),
    }
end

local function describe_user(user)
    local identities = {}
    for i, identity in ipairs(user.identities) do
        identities[i] = { id = identity.id, provider = NAMES[identity.provider] or identity.provider }
    end
    return {
        id = user.id,
        email = user.data.email,
        disabled = user.disabled,
        created = user.created,
        identities = json.array(identities),
        data = user.data,
        custom_data = user.custom_data,
    }
end

local function app_named(self, id)
    local app = self.services.apps[id]
    if not app then
        return nil, ("there is no app '%s'"):format(tostring(id)), "not_found"
    end
    return app
end

local function no_user(id)
    return nil, ("there is no user '%s'"):format(tostring(id)), "not_found"
end

---All apps, by id.
---@return table[]
function operations:apps()
    local list = {}
    for _, app in pairs(self.services.apps) do
        list[#list + 1] = describe_app(self, app)
    end
    table.sort(list, function(a, b)
        return a.id < b.id
    end)
    return json.array(list)
end

---@param id string
---@return table?
---@return string? message
---@return string? code
function operations:app(id)
    local app, message, code = app_named(self, id)
    if not app then
        return nil, message, code
    end
    return describe_app(self, app)
end

---Makes an app and keeps its definition.
---@param id string
---@param definition table
---@return table?
---@return string? message
---@return string? code
function operations:create_app(id, definition)
    local ok, message = stored_apps.check_id(id)
    if ok then
        ok, message = stored_apps.check(definition)
    end
    if not ok then
        return nil, message, "invalid"
    end
    if self.services.apps[id] then
        return nil, ("there is an app '%s' already"):format(id), "exists"
    end
    local app, code
    app, message, code = self.services:add(id, definition)
    if not app then
        return nil, message, code == "keys" and "invalid" or "storage"
    end
    ok, message = stored_apps.save(self.storage, id, definition)
    if not ok then
        self.services.apps[id] = nil
        app:close()
        return nil, message, "storage"
    end
    self.stored[id] = true
    return describe_app(self, app)
end

---Users of an app, oldest first.
---@param app_id string
---@return table[]?
---@return string? message
---@return string? code
function operations:users(app_id)
    local app, message, code = app_named(self, app_id)
    if not app then
        return nil, message, code
    end
    local list = {}
    for i, user in ipairs(app.directory:users()) do
        list[i] = describe_user(user)
    end
    table.sort(list, function(a, b)
        if a.created ~= b.created then
            return a.created < b.created
        end
        return a.id < b.id
    end)
    return json.array(list)
end

---@param app_id string
---@param id string
---@return table?
---@return string? message
---@return string? code
function operations:user(app_id, id)
    local app, message, code = app_named(self, app_id)
    if not app then
        return nil, message, code
    end
    local user = app.directory:user(id)
    if not user then
        return no_user(id)
    end
    return describe_user(user)
end

local function is_password(text)
    if type(text) ~= "string" then
        return false
    end
    local _, continuation = text:gsub("[\128-\191]", "")
    local size = #text - continuation
    return size >= 6 and size <= 128
end

-- The identity of an address, and the password account that goes with it; or nil and what is wrong.
local function read_email(app, facts)
    if not app.providers["local-userpass"] then
        return nil, ("app '%s' does not let users log in with email and password"):format(app.id)
    end
    local email, password = facts.email, facts.password
    if type(email) ~= "string" or #email > 320 or not email:match("^[^%s@]+@[^%s@]+$") then
        return nil, "email: an address expected"
    end
    if password ~= nil and not is_password(password) then
        return nil, "password: 6 to 128 characters expected"
    end
    -- Without a password nobody knows one: the user sets it by way of a reset mail.
    return { provider = "local-userpass", subject = app.directory.fold(email) },
        { email = email, hash = password and app.passwords:hash(password, "operator") or nil }
end

local function read_subject(app, subject)
    if not app.providers["custom-token"] then
        return nil, ("app '%s' does not let users log in with tokens of an issuer"):format(app.id)
    end
    if type(subject) ~= "string" or subject == "" or #subject > 256 then
        return nil, "subject: text of 1 to 256 bytes expected"
    end
    return { provider = "custom-token", subject = subject }
end

local function read_kept(identity)
    local provider = type(identity) == "table" and directory.KEPT[identity.provider]
    if not provider or type(identity.id) ~= "string" or identity.id == "" or #identity.id > 256 then
        return nil, "identities: a list of { provider = google, apple or facebook, id = text of 1 to 256 bytes } expected"
    end
    return { provider = provider, subject = identity.id }
end

-- Identities and password account of a new user, or nil and what is wrong.
local function read_identities(app, facts)
    local list = {}
    local account, identity, message
    if facts.email ~= nil then
        identity, account = read_email(app, facts)
        if not identity then
            return nil, account
        end
        list[1] = identity
    end
    if facts.subject ~= nil then
        identity, message = read_subject(app, facts.subject)
        if not identity then
            return nil, message
        end
        list[#list + 1] = identity
    end
    for _, each in ipairs(type(facts.identities) == "table" and facts.identities or {}) do
        identity, message = read_kept(each)
        if not identity then
            return nil, message
        end
        list[#list + 1] = identity
    end
    if #list == 0 then
        return nil, "an email address, or the subject of an issuer's tokens, is needed"
    end
    return list, account
end

---The keys that tokens are signed with: `id`, and `until` (Unix seconds) for those that are only accepted.
---@return table[]
function operations:keys()
    return json.array(self.services.keyring:list(os.time()))
end

---From now on a new key signs. Tokens of the one before are accepted until the last refresh token that it signed
---has expired, or with `now` not any more, which logs everybody out.
---@param options { now: boolean? }
---@return table[]? keys
---@return string? message
---@return string? code
function operations:rotate_keys(options)
    local keep = 0
    for _, app in pairs(options.now and {} or self.services.apps) do
        keep = math.max(keep, app.tokens.refresh_lifetime + LEEWAY)
    end
    local ok, message = self.services.keyring:rotate(keep, os.time())
    if not ok then
        return nil, message, "storage"
    end
    return self:keys()
end

---Creates a user: `email` and perhaps `password`, `subject`, or `identities` to keep; perhaps `id` (24 hexadecimal
---digits, to keep the id from elsewhere), `data`, `custom_data` and `disabled`.
---@param app_id string
---@param facts table
---@return table?
---@return string? message
---@return string? code
function operations:create_user(app_id, facts)
    local app, message, code = app_named(self, app_id)
    if not app then
        return nil, message, code
    end
    local id = facts.id or app.directory.new_id()
    if type(id) ~= "string" or #id ~= 24 or not id:match("^[0-9a-f]+$") then
        return nil, "id: 24 hexadecimal digits in lower case expected", "invalid"
    end
    for _, name in ipairs({ "custom_data", "data" }) do
        if facts[name] ~= nil and type(facts[name]) ~= "table" then
            return nil, name .. ": an object expected", "invalid"
        end
    end
    local identities, account = read_identities(app, facts)
    if not identities then
        return nil, account, "invalid"
    end
    local data = {}
    for name, value in pairs(facts.data or {}) do
        data[name] = value
    end
    data.email = facts.email or data.email
    local more = { custom_data = facts.custom_data, disabled = facts.disabled == true }
    if not app.directory:create_user(id, identities, data, account, more) then
        return nil, "there is a user with this id, address or subject already", "exists"
    end
    return describe_user(app.directory:user(id))
end

---A link by which the owner of an address sets a password, or confirms the address, for servers that send no
---mails. Older ones are void from now on.
---@param app_id string
---@param facts { email: string, purpose: string? } purpose "reset" (default) or "confirm"
---@return { link: string, to: string, expires: integer }?
---@return string? message
---@return string? code
function operations:create_link(app_id, facts)
    local app, message, code = app_named(self, app_id)
    if not app then
        return nil, message, code
    end
    local purpose = facts.purpose or "reset"
    if purpose ~= "reset" and purpose ~= "confirm" then
        return nil, "purpose: reset or confirm expected", "invalid"
    end
    local account = app.providers["local-userpass"] and type(facts.email) == "string" and app.directory:password(facts.email)
    if not account then
        return nil, ("there is no account with the address '%s'"):format(tostring(facts.email)), "not_found"
    end
    local ticket = userpass.ticket(app, purpose, account.email)
    return { link = ticket.link, to = ticket.to, expires = ticket.expires }
end

---Disabling ends all sessions and open connections of the user.
---@param app_id string
---@param id string
---@param disabled boolean
---@return table?
---@return string? message
---@return string? code
function operations:set_disabled(app_id, id, disabled)
    local app, message, code = app_named(self, app_id)
    if not app then
        return nil, message, code
    end
    if not app:set_disabled(id, disabled) then
        return no_user(id)
    end
    return describe_user(app.directory:user(id))
end

---@param app_id string
---@param id string
---@return boolean?
---@return string? message
---@return string? code
function operations:delete_user(app_id, id)
    local app, message, code = app_named(self, app_id)
    if not app then
        return nil, message, code
    end
    if not app:delete_user(id) then
        return no_user(id)
    end
    return true
end

---What a user may do with a partition, and which rule says so. A user id without an account is taken
---for one from `syncline token` or an issuer's standing token.
---@param app_id string
---@param user_id string
---@param partition_text string Extended JSON, or a text that is no JSON
---@return { access: string, lines: string[], known: boolean }?
---@return string? message
---@return string? code
function operations:explain(app_id, user_id, partition_text)
    local app, message, code = app_named(self, app_id)
    if not app then
        return nil, message, code
    end
    if type(user_id) ~= "string" or type(partition_text) ~= "string" then
        return nil, "a user id and a partition are needed", "invalid"
    end
    local partition, canonical, meaning = partitions.read(partition_text)
    if not partition then
        return nil, canonical, "invalid"
    end
    local user = app.directory:user(user_id)
    local asked = user or { id = user_id, data = {}, custom_data = {}, identities = {} }
    local lines = permissions.explain(app.permissions, asked, partition, app.schema)
    table.insert(lines, 1, "partition: " .. meaning)
    return { access = (app:access(asked, partition)), lines = json.array(lines), known = user ~= nil,
        disabled = user and user.disabled or false }
end

-- ---- realms -----------------------------------------------------------------------------------------

local function realms_of(self, app_id)
    local list = {}
    for id in pairs(self.services.apps) do
        if app_id == nil or id == app_id then
            for _, realm in ipairs(realms.list(self.storage, id)) do list[#list + 1] = realm end
        end
    end
    table.sort(list, function(a, b)
        if a.app ~= b.app then
            return a.app < b.app
        end
        return a.partition < b.partition
    end)
    return list
end

local function describe_realm(realm)
    local _, _, meaning = partitions.read(realm.partition)
    local facts, message = realms.facts(realm.path)
    facts = facts or { bytes = 0, devices = 0, users = {}, last_seen = 0, error = message }
    facts.app, facts.partition, facts.path, facts.meaning = realm.app, realm.partition, realm.path, meaning
    facts.users = json.array(facts.users)
    return facts
end

-- A running server serves everybody else between two of them. A realm that was erased meanwhile is left out.
local function describe_realms(self, list)
    local described = {}
    for _, realm in ipairs(list) do
        if disk.exists(realm.path) then
            described[#described + 1] = describe_realm(realm)
        end
        if self.files then
            self.files:give_way()
        end
    end
    return json.array(described)
end

---The realms of all apps, or of one: `app`, `partition` (Extended JSON), `meaning` (for people), `path`, `bytes`,
---`devices`, `users` (ids), `last_seen` (Unix seconds), or `error`.
---@param options { app: string? }
---@return table[]?
---@return string? message
---@return string? code
function operations:realms(options)
    if options.app ~= nil then
        local app, message, code = app_named(self, options.app)
        if not app then
            return nil, message, code
        end
    end
    return describe_realms(self, realms_of(self, options.app))
end

-- Erases realms of an app: through the server that has them open, or on files that nobody has.
local function erase(self, app_id, names)
    local count, message, code
    if self.files then
        count, message = self.files:erase(app_id, names)
    else
        local folder = realms.folder(self.storage, app_id)
        for _, name in ipairs(names) do
            local free
            free, message, code = realms.check_free(folder, name)
            if not free then
                return nil, message, code
            end
        end
        if not disk.exists(folder) then
            return 0
        end
        count, message = realms.erase(folder, names)
    end
    return count, message, not count and "storage" or nil
end

---Removes the realm of a partition for good.
---@param app_id string
---@param partition_text string Extended JSON, or a text that is no JSON
---@return boolean?
---@return string? message
---@return string? code
function operations:erase_realm(app_id, partition_text)
    local app, message, code = app_named(self, app_id)
    if not app then
        return nil, message, code
    end
    if type(partition_text) ~= "string" then
        return nil, "a partition is needed", "invalid"
    end
    local partition, canonical, meaning = partitions.read(partition_text)
    if not partition then
        return nil, canonical, "invalid"
    end
    local count
    count, message, code = erase(self, app_id, { canonical })
    if not count then
        return nil, message, code
    end
    if count == 0 then
        return nil, ("there is no realm of %s in app '%s'"):format(meaning, app_id), "not_found"
    end
    return true
end

-- The realms that belong to a user alone.
local function realms_of_user(self, app, id)
    local list = {}
    for _, realm in ipairs(realms_of(self, app.id)) do
        local is_theirs = belongings.is_of(realm.partition, id, function(other)
            return app.directory:has_user(other)
        end)
        if is_theirs then
            list[#list + 1] = realm
        end
    end
    return list
end

---What erasing a user would remove: `user` (as above; nil without an account) and `realms`.
---@param app_id string
---@param id string
---@return { user: table?, realms: table[] }?
---@return string? message
---@return string? code
function operations:belongings(app_id, id)
    local app, message, code = app_named(self, app_id)
    if not app then
        return nil, message, code
    end
    local user, list = app.directory:user(id), realms_of_user(self, app, id)
    if not user and not list[1] then
        return no_user(id)
    end
    return { user = user and describe_user(user), realms = describe_realms(self, list) }
end

---Removes a user with account, keys and sessions, makes all tokens of the user void, and removes the realms that
---belong to the user alone. Also for users without an account, whom tokens of an issuer name.
---@param app_id string
---@param id string
---@return { account: boolean, realms: integer }? removed
---@return string? message
---@return string? code
function operations:erase_user(app_id, id)
    local app, message, code = app_named(self, app_id)
    if not app then
        return nil, message, code
    end
    local names = {}
    for i, realm in ipairs(realms_of_user(self, app, id)) do
        names[i] = realm.partition
    end
    local user = app.directory:user(id)
    if not user and not names[1] then
        return no_user(id)
    end
    app:erase_user(id)
    local count
    count, message, code = erase(self, app_id, names)
    if not count then
        return nil, message, code
    end
    return { account = user ~= nil, realms = count }
end

-- ---- compaction -------------------------------------------------------------------------------------

local function describe_compaction(realm, report, message)
    report = report or {}
    report.app, report.partition, report.path, report.error = realm.app, realm.partition, realm.path, message
    report.running = report.running or false
    return report
end

local function check_compaction(self, options)
    if options.app ~= nil then
        local app, message, code = app_named(self, options.app)
        if not app then
            return nil, message, code
        end
    end
    if options.client_ttl == nil then
        return -1
    end
    local ttl = duration.seconds(options.client_ttl)
    if not ttl or ttl < 1 then
        return nil, "client_ttl: a time like 90d, or seconds", "invalid"
    end
    return ttl
end

---Compacts the histories of all realms, or of one app's. A running server does it in the background:
---`running` says whether a file waits for it, and `compaction` tells how it goes on.
---@param options table `app`, `client_ttl` (clients that stayed away for longer expire)
---@return table[]?
---@return string? message
---@return string? code
function operations:compact(options)
    local ttl, why, code = check_compaction(self, options)
    if not ttl then
        return nil, why, code
    end
    local list = {}
    for i, realm in ipairs(realms_of(self, options.app)) do
        local report, message
        if self.files then
            report, message = self.files:compact(realm.app, realm.partition, ttl)
            report = report and self.files:compaction(realm.app, realm.partition)
        else
            report, message = realms.compact(realm.path, ttl)
        end
        list[i] = describe_compaction(realm, report, message)
    end
    return json.array(list)
end

---How the compaction of realms stands: `app`, `partition`, `path`, `running`, and of the last run since
---the file was opened `entries`, `emptied`, `bytes_before`, `bytes_after`, `limit`, `holder`, `expired`.
---@param options table `app`
---@return table[]?
---@return string? message
---@return string? code
function operations:compaction(options)
    local list = {}
    for _, realm in ipairs(realms_of(self, options.app)) do
        local report = self.files and self.files:compaction(realm.app, realm.partition)
        if report then
            list[#list + 1] = describe_compaction(realm, report)
        end
    end
    return json.array(list)
end

return operations
