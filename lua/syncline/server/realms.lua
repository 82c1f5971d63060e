-- The realm files in a server's storage folder: where they lie, which there are, what is in them, and taking
-- care of one that no server has open.

local auth = require("syncline.auth")
local core = require("syncline.core")
local disk = require("syncline.disk")

local realms = {}

---The folder with the realms of an app.
---@param storage string
---@param app string
---@return string
function realms.folder(storage, app)
    return ("%s/apps/%s/realms"):format(storage, app)
end

---The name of a partition's file, without its ending. It says nothing about the partition, so that any text can
---be one; the list beside the files tells people which is which.
---@param partition string canonical form
---@return string
function realms.name(partition)
    return auth.hex(auth.sha256(partition)):sub(1, 40)
end

---Its file.
---@param folder string
---@param partition string canonical form
---@return string
function realms.path(folder, partition)
    return ("%s/%s.realm"):format(folder, realms.name(partition))
end

local function list_line(partition)
    return ("%s\t%s\n"):format(realms.name(partition), partition)
end

---Notes a new partition in the list.
---@param folder string
---@param partition string canonical form
---@return boolean|nil ok
---@return string|nil message
function realms.note(folder, partition)
    return disk.append(folder .. "/partitions.tsv", list_line(partition))
end

---The list of partitions as the file that it is kept in.
---@param list table[] as of realms.list
---@return string
function realms.list_text(list)
    local lines = {}
    for i, realm in ipairs(list) do lines[i] = list_line(realm.partition) end
    return table.concat(lines)
end

local function read_partitions(folder)
    local text = disk.exists(folder .. "/partitions.tsv") and disk.read(folder .. "/partitions.tsv")
    local list, seen = {}, {}
    for name, partition in (text or ""):gmatch("(%x+)\t([^\n]*)\n") do
        local path = ("%s/%s.realm"):format(folder, name)
        if not seen[name] and disk.exists(path) then list[#list + 1] = { partition = partition, path = path } end
        seen[name] = true
    end
    return list
end

---The realm files of an app: `app`, `partition`, `path`.
---@param storage string
---@param app string
---@return table[]
function realms.list(storage, app)
    local list = read_partitions(realms.folder(storage, app))
    for _, realm in ipairs(list) do realm.app = app end
    return list
end

-- Bytes of everything that a realm keeps, of which its file may only be the smaller part.
local function bytes_of(path)
    local bytes = 0
    for _, ending in ipairs({ "", "-wal", ".state" }) do bytes = bytes + (core.disk.look(path .. ending) or 0) end
    return bytes
end

---What a realm holds: `bytes` (on disk), `devices` (client files that have not expired), `users` (their ids, sorted),
---`last_seen` (Unix seconds, 0: never). The file may be in use.
---@param path string
---@return table|nil facts
---@return string|nil message
---@return string|number|nil code
function realms.facts(path)
    local clients, message, code = core.store.clients(path)
    if not clients then return nil, message, code end
    local facts = { bytes = bytes_of(path), devices = 0, users = {}, last_seen = 0 }
    local seen = {}
    for _, client in ipairs(clients) do
        if client.last_seen > 0 then facts.devices = facts.devices + 1 end
        facts.last_seen = math.max(facts.last_seen, client.last_seen)
        if client.user ~= "" and not seen[client.user] then
            seen[client.user] = true
            facts.users[#facts.users + 1] = client.user
        end
    end
    table.sort(facts.users)
    return facts
end

-- What may lie beside a realm file, and belongs to it.
local BESIDE = {
    "-wal", "-shm", "-journal", ".making", ".part", ".receiving", ".state", ".state-new", ".state-db", ".state-db-wal", ".state-db-shm",
    ".state-db-journal",
}

---Removes realms that nobody has open, with everything that lies beside their files, for good. When it returns, no
---crash brings them back; what it could not remove stays in the list.
---@param folder string
---@param partitions string[] canonical forms
---@return integer|nil erased how many there were
---@return string|nil message
function realms.erase(folder, partitions)
    local erased, wanted = 0, {}
    for _, partition in ipairs(partitions) do
        local path = realms.path(folder, partition)
        if disk.exists(path) then
            local ok, message = os.remove(path)
            if not ok then return nil, message end
            erased = erased + 1
        end
        for _, ending in ipairs(BESIDE) do
            if disk.exists(path .. ending) then
                local ok, message = os.remove(path .. ending)
                if not ok then return nil, message end
            end
        end
        wanted[partition] = true
    end
    local left = {}
    for _, realm in ipairs(read_partitions(folder)) do
        if not wanted[realm.partition] then left[#left + 1] = realm end
    end
    -- Flushes the folder, too.
    local ok, message = disk.write_private(folder .. "/partitions.tsv", realms.list_text(left))
    if not ok then return nil, message end
    return erased
end

---Makes sure that no server has a realm open.
---@param folder string
---@param partition string canonical form
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function realms.check_free(folder, partition)
    local path = realms.path(folder, partition)
    if not disk.exists(path) then return true end
    local file, message, code = core.server.file({ path = path })
    if file then
        file:close()
    elseif code == "LOCKED" then
        return nil, message, code
    end
    return true
end

---Compacts a file that nobody has open. `ttl`: seconds after which clients that stayed away expire.
---@param path string
---@param ttl integer|nil
---@return table|nil report of core.server.file:care_report()
---@return string|nil message
---@return string|number|nil code
function realms.compact(path, ttl)
    local file, message, code = core.server.file({ path = path })
    if not file then return nil, message, code end
    file:compact(ttl)
    local more
    repeat
        more, message, code = file:care()
    until not more
    local report = file:care_report()
    file:close()
    if more == nil then return nil, message, code end
    return report
end

return realms
