-- A copy of a whole storage folder, also while its server runs. Realms are copied by SQLite, each as it is at one
-- moment; small files are written as a whole by whoever writes them.

local core = require("syncline.core")
local disk = require("syncline.disk")
local realms = require("syncline.server.realms")

local backup = {}

-- ---- one file ---------------------------------------------------------------------------------------

-- What was removed meanwhile is left out.
local function copy_realm(self, path, name)
    if not disk.exists(path) then return true end
    local ok, message, code = core.store.backup(path, name)
    if not ok then
        if not disk.exists(path) then return true end
        return nil, ("'%s': %s"):format(path, message), code
    end
    self.realms, self.bytes = self.realms + 1, self.bytes + (core.disk.look(name) or 0)
    return true
end

local function copy_text(from, to)
    if not disk.exists(from) then return true end
    local text, message = disk.read(from)
    if not text then return nil, message, "storage" end
    local ok
    ok, message = disk.write_private(to, text)
    return ok, message, not ok and "storage" or nil
end

-- ---- folders ----------------------------------------------------------------------------------------

-- Copies what has a name that fits, by `copy(from, to)`.
local function copy_folder(self, folder, pattern, copy)
    local made = false
    for _, name in ipairs(disk.list(self.storage .. folder)) do
        if name:match(pattern) then
            local ok, message, code = true, nil, nil
            if not made then ok, message = disk.make_folder(self.to .. folder) end
            made = true
            local place = folder .. "/" .. name
            if ok then ok, message, code = copy(self.storage .. place, self.to .. place) end
            if not ok then return nil, message, code or "storage" end
        end
    end
    return true
end

local function copy_realms(self, app)
    local list, copied = realms.list(self.storage, app), {}
    if not list[1] then return true end
    local folder = realms.folder(self.to, app)
    local ok, message, code = disk.make_folder(folder)
    for _, realm in ipairs(list) do
        local to = realms.path(folder, realm.partition)
        if ok then ok, message, code = copy_realm(self, realm.path, to) end
        if not ok then return nil, message, code or "storage" end
        if disk.exists(to) then copied[#copied + 1] = realm end
    end
    ok, message = disk.write_private(folder .. "/partitions.tsv", realms.list_text(copied))
    return ok, message, not ok and "storage" or nil
end

-- Keys come last, so that those of all tokens that are in the copy are there.
local function copy_all(self)
    local ok, message, code = copy_folder(self, "/users", "%.realm$", function(from, to) return copy_realm(self, from, to) end)
    if ok then ok, message, code = copy_folder(self, "/apps", "%.json$", copy_text) end
    for _, app in ipairs(ok and disk.list(self.storage .. "/apps") or {}) do
        if ok and app:match("^[%w_-]+$") then ok, message, code = copy_realms(self, app) end
    end
    if ok then ok, message, code = copy_folder(self, "/tls", "%.pem$", copy_text) end
    if ok then ok, message, code = copy_folder(self, "/keys", "^signing%.key$", copy_text) end
    return ok, message, code
end

---Copies a storage folder; see admin.backup.
---@param storage string
---@param to string
---@return { realms: integer, bytes: integer }|nil copied
---@return string|nil message
---@return string|number|nil code
function backup.run(storage, to)
    to = to:gsub("(.)/+$", "%1")
    if not disk.exists(storage .. "/keys/signing.key") then
        return nil, ("there is no server storage in '%s'"):format(storage), "not_found"
    end
    local part = to .. ".part"
    for _, name in ipairs({ to, part }) do
        if disk.exists(name) then return nil, ("'%s' is there already: name another folder, or remove it"):format(name), "exists" end
    end
    local self = { storage = storage, to = part, realms = 0, bytes = 0 }
    local ok, message = disk.make_folder(part)
    if not ok then return nil, message, "storage" end
    local code
    ok, message, code = copy_all(self)
    if ok then ok, message = os.rename(part, to) end
    if not ok then return nil, ("%s (what was copied is in '%s')"):format(message, part), code or "storage" end
    return { realms = self.realms, bytes = self.bytes }
end

return backup
