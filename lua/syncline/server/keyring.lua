-- The keys that the server signs its tokens with: the present one, and earlier ones whose tokens are still
-- accepted. They are one file, so that a change happens as a whole: a line for each key with its secret, its name
-- and, for earlier ones, the Unix time until which it is accepted. The first line is the present key.

local auth = require("syncline.auth")
local disk = require("syncline.disk")

---@class syncline.server.Keyring
---@field signing userdata the present key
---@field accepted userdata[] all keys whose tokens are accepted; always the same table
local keyring = {}
keyring.__index = keyring

-- Name of the first key, which the file does not mention: programs that mint tokens of their own read the file as
-- the secret alone.
local FIRST = "own"

local function read_line(line)
    local secret, kid, till = line:match("^(%x+)%s*(%S*)%s*(%d*)%s*$")
    if not secret or #secret < 32 then return nil end
    return { secret = secret, kid = kid ~= "" and kid or FIRST, till = tonumber(till) }
end

local function parse(path, text)
    local entries = {}
    for line in text:gmatch("[^\n]+") do
        local entry = read_line(line)
        entries[#entries + 1] = entry
        -- Only the present key has no end.
        if not entry or (#entries == 1) == (entry.till ~= nil) then
            return nil, ("'%s' is damaged: a line is no key. Put the file of a backup in its place"):format(path)
        end
    end
    if #entries == 0 then return nil, ("'%s' is empty. Put the file of a backup in its place"):format(path) end
    return entries
end

local function save(path, entries)
    local lines = {}
    for i, entry in ipairs(entries) do
        local name = (entry.kid ~= FIRST or entry.till) and " " .. entry.kid or ""
        lines[i] = ("%s%s%s"):format(entry.secret, name, entry.till and (" %d"):format(entry.till) or "")
    end
    return disk.write_private(path, table.concat(lines, "\n") .. "\n")
end

local function new_entry(kid)
    return { secret = auth.hex(auth.random(32)), kid = kid or auth.hex(auth.random(6)) }
end

-- Makes the first key, unless users are there who had one.
local function make(storage, path)
    for _, name in ipairs(disk.list(storage .. "/users")) do
        if name:match("%.realm$") then
            return nil, ("there are users, but no '%s', so all of them would be logged out. Put the file of a backup in its "
                .. "place, or make a new one with 'syncline key new'"):format(path)
        end
    end
    local ok, message = disk.make_folder(storage .. "/keys")
    if not ok then return nil, message end
    return save(path, { new_entry(FIRST) })
end

-- Brings the keys in line with the entries.
local function apply(self, now)
    local count = #self.accepted
    for i = count, 1, -1 do self.accepted[i] = nil end
    for _, entry in ipairs(self.entries) do
        if not entry.till or entry.till > now then
            entry.key = entry.key or auth.key({ alg = "HS256", kid = entry.kid, secret = entry.secret })
            self.accepted[#self.accepted + 1] = entry.key
        end
    end
    for _, key in ipairs(self.others) do self.accepted[#self.accepted + 1] = key end
    self.signing = self.entries[1].key
end

---Reads the keys in a storage folder. A file that cannot be read is never replaced.
---@param storage string
---@param options { create: boolean|nil, others: userdata[]|nil } make the first key if there is none; further keys whose tokens
---are accepted
---@param now integer Unix seconds
---@return syncline.server.Keyring|nil
---@return string|nil message
function keyring.open(storage, options, now)
    local path = storage .. "/keys/signing.key"
    if not disk.exists(path) then
        if not options.create then
            return nil, ("there is no '%s': is '%s' the storage folder of a server?"):format(path, storage)
        end
        local ok, message = make(storage, path)
        if not ok then return nil, message end
    end
    local text, message = disk.read(path)
    if not text then return nil, message end
    local entries
    entries, message = parse(path, text)
    if not entries then return nil, message end
    local self = setmetatable({ path = path, entries = entries, accepted = {}, others = options.others or {} }, keyring)
    apply(self, now)
    return self
end

---Puts a single new key in the place of all; whatever was signed before is void.
---@param storage string
---@return boolean|nil ok
---@return string|nil message
function keyring.replace(storage)
    local ok, message = disk.make_folder(storage .. "/keys")
    if not ok then return nil, message end
    return save(storage .. "/keys/signing.key", { new_entry() })
end

---From now on a new key signs. Tokens of the present one are accepted for `keep` more seconds.
---@param keep integer seconds; 0: not any more
---@param now integer Unix seconds
---@return boolean|nil ok
---@return string|nil message
function keyring:rotate(keep, now)
    local entries = { new_entry() }
    for i, entry in ipairs(self.entries) do
        local till = i == 1 and now + keep or math.min(entry.till, now + keep)
        if till > now then entries[#entries + 1] = { secret = entry.secret, kid = entry.kid, till = till, key = entry.key } end
    end
    local ok, message = save(self.path, entries)
    if not ok then return nil, message end
    self.entries = entries
    apply(self, now)
    return true
end

---Forgets keys whose time is over.
---@param now integer Unix seconds
function keyring:prune(now)
    for _, entry in ipairs(self.entries) do
        if entry.till and entry.till <= now and entry.key then
            entry.key = nil
            apply(self, now)
        end
    end
end

---What there is: `id`, and `until` (Unix seconds) for keys that only accept.
---@param now integer Unix seconds
---@return table[]
function keyring:list(now)
    local list = {}
    for _, entry in ipairs(self.entries) do
        if not entry.till or entry.till > now then list[#list + 1] = { id = entry.kid, ["until"] = entry.till } end
    end
    return list
end

return keyring
