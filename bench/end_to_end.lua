-- End to end: devices through a server process over TLS on loopback. Every workload runs on a disk, with
-- fsync, and in a memory file system, where fsync costs nothing. Sustained workloads have their reader in a
-- process of its own, the others have all devices in this one.
-- Usage: end_to_end.lua [--name PATTERN] [--json] [--dir IGNORED]
local auth = require("syncline.auth")
local core = require("syncline.core")
local loop = require("syncline.loop")
local syncline = require("syncline")

local json = core.json
local options = {}
for i = 1, #arg do
    if arg[i] == "--json" then options.json = true end
    if arg[i] == "--name" then options.name = arg[i + 1] end
    if arg[i] == "--reader" then
        options.reader = { dir = arg[i + 1], url = arg[i + 2], name = arg[i + 3], count = tonumber(arg[i + 4]) }
    end
end

local SCHEMA = {
    {
        name = "Item",
        primary_key = "_id",
        properties = {
            _id = "int", i = "int", counter = "int", name = "string", text = "string?", d = "double", ts = "timestamp",
            m = "mixed", list = "int[]", lines = "string[]", attrs = "string{}", parent = "Item",
        },
    },
}

local function now() return loop.get():now() end

local function read(path)
    local file = io.open(path)
    if not file then return nil end
    local text = file:read("*a")
    file:close()
    return text
end

local function shell(command)
    local ok = os.execute(command)
    assert(ok == true or ok == 0, command)
end

-- ---- the server process -----------------------------------------------------------------------------

local lua = arg[-1] or "lua5.4"

local function start_server(dir)
    shell(("mkdir -p '%s'"):format(dir))
    local config = assert(io.open(dir .. "/config.lua", "w"))
    config:write(('return { port = 0, storage = "%s/data", log = { level = "error" } }\n'):format(dir))
    config:close()
    shell(("'%s' bin/syncline serve --config '%s/config.lua' >'%s/url' 2>'%s/log' & echo $! >'%s/pid'"):format(lua, dir, dir,
        dir, dir))
    local server = { dir = dir, pid = tonumber(read(dir .. "/pid")) }
    local ok = loop.run(function()
        server.url = (read(dir .. "/url") or ""):match("^(https://%S+)\n")
        return server.url ~= nil
    end, 20)
    assert(ok, "the server did not start: " .. (read(dir .. "/log") or ""))
    return server
end

local function memory_of(pid, field)
    local text = read(("/proc/%d/status"):format(pid)) or ""
    return tonumber(text:match((field or "VmRSS") .. ":%s*(%d+)")) or 0
end

local function stop_server(server)
    shell(("kill %d"):format(server.pid))
    loop.run(function() return not read(("/proc/%d/stat"):format(server.pid)) end, 10)
end

local devices = 0

local function device(server, partition)
    devices = devices + 1
    local secret = read(server.dir .. "/data/keys/signing.key"):match("%x+")
    server.key = server.key or assert(auth.key({ alg = "HS256", kid = "own", secret = secret }))
    local issued = os.time()
    local claims = { typ = "access", aud = "default", sub = "user" .. devices, iat = issued, exp = issued + 3600 }
    local realm = assert(syncline.open({
        path = ("%s/%s%d.db"):format(server.dir, options.reader and "reader" or "device", devices),
        schema = SCHEMA,
        sync = {
            url = (server.url:gsub("^http", "ws")), token = auth.sign(claims, server.key), partition = partition,
            tls = { ca = server.dir .. "/data/tls/cert.pem" },
        },
    }))
    assert(realm:sync_session():wait_for_upload(30))
    assert(realm:sync_session():wait_for_download(30))
    return realm
end

local function create(realm, k)
    return realm:create("Item", {
        _id = k, i = 7 * k, name = "name of item " .. k, d = k / 3, ts = syncline.timestamp(1700000000 + k),
    })
end

-- The reader's process: says when it is ready, and when it has everything.
if options.reader then
    local reader = options.reader
    local realm = device(reader, reader.name)
    shell(("touch '%s/ready'"):format(reader.dir))
    assert(loop.run(function() return realm:objects("Item"):count() >= reader.count end, 200))
    shell(("touch '%s/done'"):format(reader.dir))
    realm:close()
    os.exit(0)
end

local function start_reader(server, name, count)
    local line = "'%s' bench/end_to_end.lua --reader '%s' '%s' '%s' %d >/dev/null 2>'%s/reader.log' &"
    shell(line:format(lua, server.dir, server.url, name, count, server.dir))
    assert(loop.run(function() return read(server.dir .. "/ready") ~= nil end, 30), read(server.dir .. "/reader.log"))
end

-- ---- results ----------------------------------------------------------------------------------------

local function report(place, name, facts)
    facts.name = ("end_to_end_%s_%s"):format(name, place)
    if options.json then
        print(json.encode(facts))
        return
    end
    local parts = {}
    for field, value in pairs(facts) do
        if field ~= "name" then parts[#parts + 1] = ("%s=%.6g"):format(field, value) end
    end
    table.sort(parts)
    print(("%-44s %s"):format(facts.name, table.concat(parts, "  ")))
end

local function percentile(sorted, share)
    return sorted[math.max(1, math.ceil(#sorted * share))]
end

-- ---- workloads --------------------------------------------------------------------------------------

local workloads = {}

-- One write at a time: from realm:write on one device until the object is in the other one's realm.
function workloads.latency(server, place)
    local a, b = device(server, "latency"), device(server, "latency")
    local times, begin = {}, now()
    for k = 1, 1000 do
        local from = now()
        assert(a:write(function() create(a, k) end))
        while not b:object("Item", k) do loop.step(1) end
        times[k] = (now() - from) * 1000
    end
    local mean = (now() - begin)
    table.sort(times)
    report(place, "latency", { operations = #times, mean_ms = mean, p50_ms = percentile(times, 0.5), p99_ms = percentile(times, 0.99) })
    a:close()
    b:close()
end

local function sustained(server, place, name, writers, count)
    local realms, total = {}, count * writers
    start_reader(server, name, total)
    for w = 1, writers do realms[w] = device(server, name) end
    local from = now()
    for k = 1, count do
        for w, realm in ipairs(realms) do
            assert(realm:write(function()
                create(realm, k * writers + w)
                if writers > 1 then
                    local shared = realm:object("Item", 0) or realm:create("Item", { _id = 0 })
                    shared.i = k
                end
            end))
        end
        loop.step(0)
    end
    assert(loop.run(function()
        loop.step(0.002)
        return read(server.dir .. "/done") ~= nil
    end, 200), read(server.dir .. "/reader.log"))
    local seconds = now() - from
    report(place, name, {
        operations = total, changesets_per_s = total / seconds, server_rss_kb = memory_of(server.pid),
    })
    for _, realm in ipairs(realms) do realm:close() end
end

function workloads.one_writer(server, place) sustained(server, place, "one_writer", 1, 5000) end
function workloads.two_writers_in_conflict(server, place) sustained(server, place, "two_writers_in_conflict", 2, 2500) end

function workloads.bulk(server, place)
    local a = device(server, "bulk")
    local from = now()
    for c = 0, 99 do
        assert(a:write(function()
            for k = 1, 1000 do create(a, c * 1000 + k) end
        end))
    end
    local written = now()
    assert(a:sync_session():wait_for_upload(120))
    local uploaded = now()
    report(place, "upload_100000_objects", { operations = 100000, write_s = written - from, upload_s = uploaded - written })
    from = now()
    local b = device(server, "bulk")
    report(place, "download_100000_objects", { operations = b:objects("Item"):count(), seconds = now() - from })
    a:close()
    b:close()
end

function workloads.fan_out(server, place)
    local before = memory_of(server.pid)
    local writer, readers = device(server, "fan"), {}
    for i = 1, 99 do readers[i] = device(server, "fan") end
    local idle = (memory_of(server.pid) - before) / 100
    local times = {}
    for k = 1, 100 do
        local from = now()
        assert(writer:write(function() create(writer, k) end))
        for _, reader in ipairs(readers) do
            while not reader:object("Item", k) do loop.step(1) end
        end
        times[k] = (now() - from) * 1000
    end
    table.sort(times)
    report(place, "fan_out_99", {
        operations = #times, p50_ms = percentile(times, 0.5), max_ms = times[#times], idle_client_kb = idle,
    })
    writer:close()
    for _, reader in ipairs(readers) do reader:close() end
end

local ORDER = { "latency", "one_writer", "two_writers_in_conflict", "bulk", "fan_out" }
local PLACES = { { "fsync", os.getenv("SYNCLINE_BENCH_DISK") or "build" }, { "no_fsync", "/dev/shm" } }

for _, place in ipairs(PLACES) do
    for _, name in ipairs(ORDER) do
        if not options.name or ("end_to_end_" .. name):find(options.name, 1, true) then
            local dir = ("%s/syncline-bench-%d-%s"):format(place[2], os.time(), name)
            if place[2]:sub(1, 1) ~= "/" then
                local handle = io.popen("pwd")
                dir = handle:read("*l") .. "/" .. dir
                handle:close()
            end
            local server = start_server(dir)
            local ok, problem = pcall(workloads[name], server, place[1])
            stop_server(server)
            shell(("rm -rf '%s'"):format(dir))
            if not ok then error(problem, 0) end
        end
    end
end
