-- A device that writes all the time until it is killed or told to stop. Each write adds one Item and adds
-- one to the counter that all devices share, in one transaction, and is then reported on standard output.
-- Usage: writer.lua FILE URL CA TOKEN NAME STOP_FILE [OPTIONS]
-- OPTIONS are further options of sync, numbers: "pong_timeout=1,ping_period=0.2".
local syncline = require("syncline")
local loop = require("syncline.loop")

local file, url, ca, token, name, stop_file, options = (table.unpack or unpack)(arg) -- luacheck: ignore

local sync = { url = url, app_id = "interop-app", token = token, partition = "kills", tls = ca ~= "" and { ca = ca } or nil }
for option, value in (options or ""):gmatch("([%w_]+)=([%d.]+)") do sync[option] = tonumber(value) end

local realm = assert(syncline.open({
    path = file,
    schema = {
        { name = "Item", primary_key = "_id", properties = { _id = "string", device = "string", n = "int" } },
        { name = "Total", primary_key = "_id", properties = { _id = "string", writes = "int" } },
    },
    sync = sync,
}))

local function exists(path)
    local handle = io.open(path)
    if handle then handle:close() end
    return handle ~= nil
end

local function say(...)
    io.write(table.concat({ ... }, " "), "\n")
    io.flush()
end

local n = 0
for item in realm:objects("Item"):each() do
    if item.device == name and item.n > n then n = item.n end
end
say("opened", n)

while not exists(stop_file) do
    n = n + 1
    assert(realm:write(function()
        realm:create("Item", { _id = name .. "-" .. n, device = name, n = n })
        local total = realm:object("Total", "all") or realm:create("Total", { _id = "all" })
        total:increment("writes", 1)
    end))
    say("wrote", n)
    loop.step(0.005)
end

local session = realm:sync_session()
assert(session:wait_for_upload(60))
say("uploaded")
io.read("*l") -- until every device has uploaded
assert(session:wait_for_download(60))
say("total", realm:object("Total", "all").writes, "items", realm:objects("Item"):count())
say("state", require("syncline.auth").hex(require("syncline.auth").sha256(realm:state())))
realm:close()
