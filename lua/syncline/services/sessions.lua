--- Login sessions of an app's users. What a log-in or a refresh costs does not depend on how many sessions
--- a user has: a thousand devices may share one.
local auth = require("syncline.auth")

local sessions = {}
sessions.__index = sessions

-- Expired sessions that a log-in clears away; more than it adds, so that they cannot pile up. Seconds
-- after which a session that is used is marked as used again.
local SWEEP, TOUCH = 4, 24 * 3600

sessions.SCHEMA = {
    name = "Session",
    primary_key = "_id",
    properties = {
        _id = "string",
        user = { type = "string", indexed = true },
        device = "string",
        api_key = "string?", -- the key it was opened with
        created = "int",
        last_used = "int",
        expires = { type = "int", indexed = true },
    },
}

---@class syncline.services.Sessions
---@field realm any
---@field clock fun(): integer Unix seconds
---@field max integer sessions of one user; the one that was used longest ago makes room

---@param realm any
---@param clock fun(): integer
---@param max integer
---@return syncline.services.Sessions
function sessions.new(realm, clock, max)
    return setmetatable({ realm = realm, clock = clock, max = max }, sessions)
end

function sessions:write(change)
    local ok, message = self.realm:write(change)
    if not ok then
        error(message, 0)
    end
end

local function of_user(self, user)
    return self.realm:objects("Session"):where({ user = user })
end

-- Inside a write: deletes the first of a set until there are no more, or `most` are gone.
local function delete_first(self, set, most)
    for _ = 1, most do
        local row = set:first()
        if not row then
            return
        end
        self.realm:delete(row)
    end
end

---Opens a session.
---@param user string
---@param device string
---@param lifetime integer seconds
---@param api_key string? id of the key that it is opened with
---@return string id
function sessions:open(user, device, lifetime, api_key)
    local id, now = auth.hex(auth.random(12)), self.clock()
    self:write(function()
        -- A log-out while offline never arrives: such sessions go when they have expired.
        delete_first(self, self.realm:objects("Session"):where({ expires = { "<", now } }), SWEEP)
        local beyond = of_user(self, user):count() - self.max + 1
        if beyond > 0 then
            delete_first(self, of_user(self, user):sorted("last_used"), beyond)
        end
        self.realm:create("Session", {
            _id = id,
            user = user,
            device = device,
            api_key = api_key,
            created = now,
            last_used = now,
            expires = now + lifetime,
        })
    end)
    return id
end

---A living session, or nil.
---@param id string
---@return { user: string, api_key: string? }?
function sessions:find(id)
    local row = self.realm:object("Session", id)
    if not row or row.expires < self.clock() then
        return nil
    end
    local key = row.api_key
    return { user = row.user, api_key = type(key) == "string" and key or nil }
end

---Says that a session is in use.
---@param id string
function sessions:touch(id)
    local row, now = self.realm:object("Session", id), self.clock()
    if row and now - row.last_used >= TOUCH then
        self:write(function()
            row.last_used = now
        end)
    end
end

---@param id string
function sessions:close(id)
    local row = self.realm:object("Session", id)
    if row then
        self:write(function()
            self.realm:delete(row)
        end)
    end
end

---Inside a write: ends all sessions of a user.
---@param user string
function sessions:drop(user)
    for row in of_user(self, user):each() do
        self.realm:delete(row)
    end
end

---Ends all sessions of a user.
---@param user string
function sessions:end_all(user)
    self:write(function()
        self:drop(user)
    end)
end

---Inside a write: ends the sessions that were opened with an API key.
---@param user string owner of the key
---@param key string id of the key
---@return table<string, boolean> ended ids of the sessions
function sessions:drop_key(user, key)
    local ended = {}
    for row in of_user(self, user):each() do
        if row.api_key == key then
            ended[row._id] = true
            self.realm:delete(row)
        end
    end
    return ended
end

return sessions
