-- The realm files in a server's storage folder: which there are, and taking care of one that no server
-- has open.

local core = require("syncline.core")
local disk = require("syncline.disk")

local realms = {}

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
    local list = read_partitions(("%s/apps/%s/realms"):format(storage, app))
    for _, realm in ipairs(list) do realm.app = app end
    return list
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
