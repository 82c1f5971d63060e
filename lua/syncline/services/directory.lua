--- The users of one app, with identities, passwords, API keys and login sessions, kept in a local
--- Syncline realm: durable, and readable with any SQLite tool. Secrets are stored as hashes only.
local auth = require("syncline.auth")
local core = require("syncline.core")
local sessions = require("syncline.services.sessions")
local syncline = require("syncline")

local json, to_table = core.json, syncline.to_table

local directory = {}
directory.__index = directory

---Identities of services that nobody logs in with here, but that users keep: tokens of the `jwt` provider may stand
---for them.
directory.KEPT = { google = "oauth2-google", apple = "oauth2-apple", facebook = "oauth2-facebook" }

local SCHEMA = {
    {
        name = "User",
        primary_key = "_id",
        properties = {
            _id = "string",
            type = "string",
            disabled = "bool",
            created = "int",
            last_login = "int",
            data = "string", -- JSON object: name, email, ...
            custom_data = "string?", -- JSON object for the claim user_data
            identities = "string[]", -- keys of Identity, oldest first
            api_keys = "string[]",
        },
    },
    {
        name = "Identity",
        primary_key = "_id", -- provider .. ":" .. subject
        properties = { _id = "string", ident = "string", provider = "string", user = "string", data = "string" },
    },
    {
        name = "Password",
        primary_key = "_id", -- the address, case folded
        properties = {
            _id = "string",
            email = "string",
            hash = "string", -- empty: nobody has set a password yet, none fits
            confirmed = "bool",
            user = "string?",
            places = "string?", -- JSON array: digests of places from which it logged in, latest last
        },
    },
    sessions.SCHEMA,
    {
        name = "ApiKey",
        primary_key = "_id",
        properties = { _id = "string", user = "string", name = "string", secret = "string", disabled = "bool" },
    },
    {
        name = "Ticket", -- a pending confirmation or password reset
        primary_key = "_id",
        properties = {
            _id = "string",
            purpose = "string",
            email = { type = "string", indexed = true }, -- case folded
            secret = "string",
            expires = { type = "int", indexed = true },
        },
    },
    {
        name = "Revocation", -- tokens of a user that were issued up to a time are void
        primary_key = "_id", -- the user, who may be deleted
        properties = { _id = "string", at = "int" },
    },
}

---A new identifier: 24 hexadecimal digits.
---@return string
local function new_id()
    return auth.hex(auth.random(12))
end

local function digest(secret)
    return auth.hex(auth.sha256(secret))
end

---@class syncline.services.User
---@field id string
---@field type string "normal" or "server"
---@field disabled boolean
---@field data table
---@field custom_data table?
---@field identities { id: string, provider: string, data: table }[]

---@class syncline.services.Directory
---@field realm any
---@field sessions syncline.services.Sessions

---Sessions that one user may have, unless the configuration says otherwise.
directory.MAX_SESSIONS = 10000

---Opens (or creates) the directory file.
---@param path string
---@param clock fun(): integer Unix seconds
---@param max_sessions integer? of one user
---@return syncline.services.Directory?
---@return string? message
function directory.open(path, clock, max_sessions)
    local realm, message, code = syncline.open({ path = path, schema = SCHEMA, local_only = true })
    if not realm then
        return nil, message, code
    end
    return setmetatable({
        realm = realm,
        clock = clock,
        sessions = sessions.new(realm, clock, max_sessions or directory.MAX_SESSIONS),
    }, directory)
end

function directory:close()
    self.realm:close()
end

local function write(self, change)
    local ok, message = self.realm:write(change)
    if not ok then
        error(message, 0)
    end
end

local function remove(list, value)
    for i = #list, 1, -1 do
        if list[i] == value then
            list:remove(i)
        end
    end
end

---@param row any
---@return syncline.services.User
local function describe(self, row)
    local identities = {}
    for _, key in ipairs(to_table(row.identities)) do
        local identity = self.realm:object("Identity", key)
        if identity then
            identities[#identities + 1] =
                { id = identity.ident, provider = identity.provider, data = json.decode(identity.data) }
        end
    end
    return {
        id = row._id,
        type = row.type,
        disabled = row.disabled,
        created = row.created,
        data = json.decode(row.data),
        custom_data = type(row.custom_data) == "string" and json.decode(row.custom_data) or nil,
        identities = identities,
    }
end

---@param id string
---@return syncline.services.User?
function directory:user(id)
    local row = self.realm:object("User", id)
    return row and describe(self, row)
end

---@param id string
---@return boolean
function directory:has_user(id)
    return self.realm:object("User", id) ~= nil
end

---All users, in no order.
---@return syncline.services.User[]
function directory:users()
    local list = {}
    for row in self.realm:objects("User"):each() do
        list[#list + 1] = describe(self, row)
    end
    return list
end

---@return integer
function directory:count()
    return self.realm:objects("User"):count()
end

---The user with this identity.
---@param provider string
---@param subject string
---@return syncline.services.User?
function directory:find(provider, subject)
    local identity = self.realm:object("Identity", provider .. ":" .. subject)
    return identity and self:user(identity.user)
end

local function add_identity(self, row, provider, subject, data)
    local key = provider .. ":" .. subject
    self.realm:create("Identity", {
        _id = key,
        ident = new_id(),
        provider = provider,
        user = row._id,
        data = json.encode(data or {}),
    })
    row.identities:insert(key)
end

local function merge(row, data)
    local all = json.decode(row.data)
    for name, value in pairs(data or {}) do
        all[name] = value
    end
    row.data = json.encode(all)
end

-- Inside a write: a new user without an identity.
local function add_user(self, id)
    local now = self.clock()
    return self.realm:create("User", {
        _id = id,
        type = "normal",
        disabled = false,
        created = now,
        last_login = now,
        data = "{}",
    })
end

---Finds the user with an identity or creates one; `data` is merged into the user's data.
---@param provider string
---@param subject string
---@param data table?
---@return syncline.services.User
function directory:find_or_create(provider, subject, data)
    local identity = self.realm:object("Identity", provider .. ":" .. subject)
    local id = identity and identity.user or new_id()
    write(self, function()
        local row = self.realm:object("User", id)
        if not row then
            row = add_user(self, id)
            add_identity(self, row, provider, subject, data)
        end
        row.last_login = self.clock()
        merge(row, data)
    end)
    return self:user(id)
end

---Creates a user under an id of the caller's choice. False if the id or an identity is taken.
---@param id string
---@param identities { provider: string, subject: string }[] at least one
---@param data table? facts about the user
---@param account { email: string, hash: string? }? the password account that goes with it; without a hash no password fits
---@param more { custom_data: table?, disabled: boolean? }?
---@return boolean
function directory:create_user(id, identities, data, account, more)
    if self.realm:object("User", id) or account and self.realm:object("Password", directory.fold(account.email)) then
        return false
    end
    for _, identity in ipairs(identities) do
        if self.realm:object("Identity", identity.provider .. ":" .. identity.subject) then
            return false
        end
    end
    write(self, function()
        local row = add_user(self, id)
        for _, identity in ipairs(identities) do
            add_identity(self, row, identity.provider, identity.subject, data)
        end
        merge(row, data)
        row.disabled = more and more.disabled or false
        row.custom_data = more and more.custom_data and json.encode(more.custom_data) or nil
        if account then
            self.realm:create("Password", {
                _id = directory.fold(account.email),
                email = account.email,
                hash = account.hash or "",
                confirmed = true,
                user = id,
            })
        end
    end)
    return true
end

---Gives a user one more identity. False if somebody has it already, or the user has one of the
---provider.
---@param user syncline.services.User
---@param provider string
---@param subject string
---@param data table?
---@return boolean
function directory:link(user, provider, subject, data)
    if self.realm:object("Identity", provider .. ":" .. subject) then
        return false
    end
    for _, identity in ipairs(user.identities) do
        if identity.provider == provider then
            return false
        end
    end
    write(self, function()
        local row = self.realm:object("User", user.id)
        add_identity(self, row, provider, subject, data)
        merge(row, data)
    end)
    return true
end

-- Inside a write: no token that a user has now is good for anything.
local function revoke(self, user)
    local row = self.realm:object("Revocation", user)
    if row then
        row.at = self.clock()
    else
        self.realm:create("Revocation", { _id = user, at = self.clock() })
    end
end

---Unix seconds: tokens without a session that were issued before are void. nil if there is no such time.
---@param user string also one who was deleted
---@return integer?
function directory:revoked_at(user)
    local row = self.realm:object("Revocation", user)
    return row and row.at
end

---@param id string
---@param disabled boolean
---@return boolean found
function directory:set_disabled(id, disabled)
    local row = self.realm:object("User", id)
    if not row then
        return false
    end
    write(self, function()
        row.disabled = disabled
        if disabled then
            self.sessions:drop(id)
            revoke(self, id)
        end
    end)
    return true
end

---@param id string
---@param data table? nil removes it
function directory:set_custom_data(id, data)
    write(self, function()
        self.realm:object("User", id).custom_data = data and json.encode(data) or core.null
    end)
end

-- Inside a write: deletes the object with this key, if there is one.
local function delete_object(self, class, key)
    local object = key and self.realm:object(class, key)
    if object then
        self.realm:delete(object)
    end
end

-- Inside a write: tickets of an address, those for one purpose or all.
local function drop_tickets(self, email, purpose)
    for row in self.realm:objects("Ticket"):where({ email = directory.fold(email), purpose = purpose }):each() do
        self.realm:delete(row)
    end
end

-- Inside a write.
local function drop_password(self, email)
    delete_object(self, "Password", email)
    drop_tickets(self, email)
end

---Removes a user with everything that belongs to it.
---@param id string
---@return boolean found
function directory:delete_user(id)
    local row = self.realm:object("User", id)
    if not row then
        return false
    end
    write(self, function()
        self.sessions:drop(id)
        revoke(self, id)
        for _, key in ipairs(to_table(row.api_keys)) do
            delete_object(self, "ApiKey", key)
        end
        for _, key in ipairs(to_table(row.identities)) do
            local email = key:match("^local%-userpass:(.*)$")
            if email then
                drop_password(self, email)
            end
            delete_object(self, "Identity", key)
        end
        self.realm:delete(row)
    end)
    return true
end

---As delete_user, and nobody's tokens with this id are good for anything, also if there was no account. What was deleted
---cannot be read out of the file any more.
---@param id string
function directory:erase_user(id)
    if not self:delete_user(id) then
        write(self, function()
            revoke(self, id)
        end)
    end
    local ok, message = self.realm.handle:flush_log()
    if not ok then
        error(message, 0)
    end
end

-- ---- passwords ------------------------------------------------------------------------------------

---Addresses are kept as given and compared without regard to case.
---@param email string
---@return string
function directory.fold(email)
    return email:lower()
end

---@param email string
---@return { email: string, hash: string, confirmed: boolean, user: string?, places: string[] }? an empty hash: no password fits
function directory:password(email)
    local row = self.realm:object("Password", directory.fold(email))
    if not row then
        return nil
    end
    local user, places = row.user, row.places
    return {
        email = row.email,
        hash = row.hash,
        confirmed = row.confirmed,
        user = type(user) == "string" and user or nil,
        places = type(places) == "string" and json.decode(places) or {},
    }
end

---Creates an account that has not logged in yet. False if the address is taken.
---@return boolean
function directory:register(email, hash, confirmed)
    if self.realm:object("Password", directory.fold(email)) then
        return false
    end
    write(self, function()
        self.realm:create("Password", {
            _id = directory.fold(email),
            email = email,
            hash = hash,
            confirmed = confirmed,
        })
    end)
    return true
end

---Changes any of hash, confirmed and user of an account. A new hash makes links to set one void.
---@param email string
---@param change table
function directory:update_password(email, change)
    write(self, function()
        local row = self.realm:object("Password", directory.fold(email))
        for name, value in pairs(change) do
            row[name] = value
        end
        if change.hash then
            drop_tickets(self, email, "reset")
        end
    end)
end

-- Places from which an account logs in that are remembered.
local MAX_PLACES = 8

local function place_digest(email, place)
    return digest(directory.fold(email) .. "\0" .. place):sub(1, 16)
end

---Whether an account has logged in from a place before.
---@param account { email: string, places: string[] }
---@param place string
---@return boolean
function directory.knows_place(account, place)
    local wanted = place_digest(account.email, place)
    for _, known in ipairs(account.places) do
        if known == wanted then
            return true
        end
    end
    return false
end

---Notes that the user logged in with an account, and from where.
---@param email string
---@param user string
---@param place string
function directory:note_login(email, user, place)
    local account = self:password(email)
    if account.user == user and directory.knows_place(account, place) then
        return
    end
    local places = account.places
    if not directory.knows_place(account, place) then
        places[#places + 1] = place_digest(email, place)
    end
    while #places > MAX_PLACES do
        table.remove(places, 1)
    end
    self:update_password(email, { user = user, places = json.encode(json.array(places)) })
end

---Forgets an account that is not confirmed.
---@param email string
function directory:unregister(email)
    write(self, function()
        drop_password(self, directory.fold(email))
    end)
end

-- ---- API keys -------------------------------------------------------------------------------------

local function describe_key(row)
    return { _id = row._id, name = row.name, disabled = row.disabled, user = row.user }
end

---@param user string
---@param name string
---@param most integer keys that a user may have
---@return table? key with the secret in `key`, shown this once
---@return string? code "exists" if the name is taken, "full" if the user has too many
function directory:create_api_key(user, name, most)
    local present = self:api_keys(user)
    for _, key in ipairs(present) do
        if key.name == name then
            return nil, "exists"
        end
    end
    if #present >= most then
        return nil, "full"
    end
    local id = new_id()
    -- The identifier stands in front, so that a login finds the row without searching hashes.
    local secret = id .. auth.hex(auth.random(20))
    write(self, function()
        self.realm:create("ApiKey", { _id = id, user = user, name = name, secret = digest(secret), disabled = false })
        self.realm:object("User", user).api_keys:insert(id)
        if not self.realm:object("Identity", "api-key:" .. id) then
            add_identity(self, self.realm:object("User", user), "api-key", id, { name = name })
        end
    end)
    return { _id = id, key = secret, name = name, disabled = false }
end

---@param user string
---@return table[]
function directory:api_keys(user)
    local list, row = {}, self.realm:object("User", user)
    for _, id in ipairs(row and to_table(row.api_keys) or {}) do
        local key = self.realm:object("ApiKey", id)
        if key then
            list[#list + 1] = describe_key(key)
        end
    end
    return list
end

---The key if it belongs to the user.
---@return table?
function directory:api_key(user, id)
    local row = self.realm:object("ApiKey", id)
    return row and row.user == user and describe_key(row) or nil
end

---The key whose secret this is, unless disabled.
---@param secret string
---@return table?
function directory:api_key_login(secret)
    local row = self.realm:object("ApiKey", secret:sub(1, 24))
    -- The comparison runs also without a row, so that the time does not tell whether one exists.
    local known = row and row.secret or ("0"):rep(64)
    if auth.equal(known, digest(secret)) and row and not row.disabled then
        return describe_key(row)
    end
end

---Whether a key can still be used to log in.
---@param id string
---@return boolean
function directory:api_key_works(id)
    local row = self.realm:object("ApiKey", id)
    return row ~= nil and not row.disabled
end

---Enables or disables a key; disabling ends the sessions that were opened with it.
---@param user string owner
---@param id string
---@param disabled boolean
---@return table<string, boolean> ended ids of sessions
function directory:set_api_key_disabled(user, id, disabled)
    local ended = {}
    write(self, function()
        self.realm:object("ApiKey", id).disabled = disabled
        ended = disabled and self.sessions:drop_key(user, id) or {}
    end)
    return ended
end

---Deletes a key and ends the sessions that were opened with it.
---@param user string owner
---@param id string
---@return table<string, boolean> ended ids of sessions
function directory:delete_api_key(user, id)
    local ended = {}
    write(self, function()
        local row = self.realm:object("User", user)
        remove(row.api_keys, id)
        remove(row.identities, "api-key:" .. id)
        delete_object(self, "ApiKey", id)
        delete_object(self, "Identity", "api-key:" .. id)
        ended = self.sessions:drop_key(user, id)
    end)
    return ended
end

-- ---- tickets --------------------------------------------------------------------------------------

-- Expired tickets that a new one clears away; more than it adds.
local SWEEP = 4

---A one-time token for a mail link. Older ones for the same purpose are void from now on.
---@param purpose string "confirm" or "reset"
---@param email string
---@param lifetime integer seconds
---@return string token, string token_id
function directory:create_ticket(purpose, email, lifetime)
    local id, token, now = new_id(), auth.hex(auth.random(32)), self.clock()
    write(self, function()
        drop_tickets(self, email, purpose)
        local expired = self.realm:objects("Ticket"):where({ expires = { "<", now } })
        for _ = 1, SWEEP do
            local row = expired:first()
            if not row then
                break
            end
            self.realm:delete(row)
        end
        self.realm:create("Ticket", {
            _id = id,
            purpose = purpose,
            email = directory.fold(email),
            secret = digest(token),
            expires = now + lifetime,
        })
    end)
    return token, id
end

---The address of a ticket, which stays as it is.
---@param purpose string
---@param token string
---@param id string
---@return string? email case folded; nil if the ticket is unknown, used, expired or for something else
function directory:ticket_email(purpose, token, id)
    local row = self.realm:object("Ticket", id)
    local known = row and row.secret or ("0"):rep(64)
    if not auth.equal(known, digest(token)) or not row or row.purpose ~= purpose or row.expires < self.clock() then
        return nil
    end
    return row.email
end

---Uses a ticket up.
---@param purpose string
---@param token string
---@param id string
---@return string? email as of ticket_email
function directory:take_ticket(purpose, token, id)
    local email = self:ticket_email(purpose, token, id)
    if email then
        write(self, function()
            delete_object(self, "Ticket", id)
        end)
    end
    return email
end

directory.new_id = new_id

return directory
