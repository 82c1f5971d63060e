-- Many devices in one process, each with a file, a user and a connection of its own, write to one realm
-- at the same time; then all copies are compared.
-- Usage: crowd.lua FOLDER URL CA WRITES < tokens, one per line
local auth = require("syncline.auth")
local syncline = require("syncline")

local folder, url, ca, writes = arg[1], arg[2], arg[3], tonumber(arg[4])

local realms = {}
for token in io.lines() do
    realms[#realms + 1] = assert(syncline.open({
        path = ("%s/%d.db"):format(folder, #realms + 1),
        schema = {
            { name = "Item", primary_key = "_id", properties = { _id = "string", device = "int", n = "int" } },
            { name = "Total", primary_key = "_id", properties = { _id = "string", writes = "int", order = "int[]" } },
        },
        sync = { url = url, app_id = "interop-app", token = token, partition = "crowd writes", tls = { ca = ca } },
    }))
end

for n = 1, writes do
    for device, realm in ipairs(realms) do
        assert(realm:write(function()
            realm:create("Item", { _id = device .. "-" .. n, device = device, n = n })
            local total = realm:object("Total", "all") or realm:create("Total", { _id = "all" })
            total:increment("writes", 1)
            total.order:insert(1, device)
        end))
    end
    require("syncline.loop").step(0.01) -- what others did comes in between
end

for _, realm in ipairs(realms) do assert(realm:sync_session():wait_for_upload(60)) end
for _, realm in ipairs(realms) do assert(realm:sync_session():wait_for_download(60)) end

local states, different = {}, 0
for _, realm in ipairs(realms) do
    local state = auth.hex(auth.sha256(realm:state()))
    if not states[state] then different = different + 1 end
    states[state] = true
end
local total = realms[1]:object("Total", "all")
print("devices", #realms, "states", different, "writes", total.writes, "order", #total.order, "items",
    realms[1]:objects("Item"):count())
for _, realm in ipairs(realms) do realm:close() end
