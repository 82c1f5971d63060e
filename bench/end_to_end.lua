-- End to end: devices through a server process over TLS on loopback. Every workload runs on a disk, with
-- fsync, and in a memory file system, where fsync costs nothing. Sustained workloads have their reader in a
-- process of its own, the others have all devices in this one. Processor time (cpu_..., user and system) is
-- what each process used per operation: unlike the wall clock it means something on a busy machine, too.
-- Usage: end_to_end.lua [--name PATTERN] [--place fsync|no_fsync] [--json] [--dir IGNORED]
local auth = require("syncline.auth")
local loop = require("syncline.loop")
local support = dofile("bench/support/report.lua")
local syncline = require("syncline")

local options = {}
for i = 1, #arg do
    if arg[i] == "--json" then options.json = true end
    if arg[i] == "--name" then options.name = arg[i + 1] end
    if arg[i] == "--place" then options.place = arg[i + 1] end
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

local read = support.read

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

-- Processor time of a process so far, in microseconds; "self" is this one. The clock of the kernel ticks in
-- hundredths of a second.
local function cpu_of(pid)
    local rest = (read(("/proc/%s/stat"):format(pid)) or ""):match("^.*%)(.*)$") or ""
    local fields = {}
    for field in rest:gmatch("%S+") do fields[#fields + 1] = field end
    return ((tonumber(fields[12]) or 0) + (tonumber(fields[13]) or 0)) * 10000
end

-- What the server's process and this one use from now on, each operation.
local function meter(server)
    local theirs, ours = cpu_of(server.pid), cpu_of("self")
    return function(facts, operations)
        facts.cpu_server_us = (cpu_of(server.pid) - theirs) / operations
        facts.cpu_client_us = (cpu_of("self") - ours) / operations
        return facts
    end
end

local function stop_server(server)
    shell(("kill %d"):format(server.pid))
    loop.run(function() return not read(("/proc/%d/stat"):format(server.pid)) end, 10)
end

local devices = 0

local function device(server, partition, open, paused)
    devices = devices + 1
    local secret, kid = read(server.dir .. "/data/keys/signing.key"):match("(%x+)%s+(%S+)")
    server.key = server.key or assert(auth.key({ alg = "HS256", kid = kid, secret = secret }))
    local issued = os.time()
    local claims = { typ = "access", aud = "default", sub = "user" .. devices, iat = issued, exp = issued + 3600 }
    local realm = assert((open or syncline.open)({
        path = ("%s/%s%d.db"):format(server.dir, options.reader and "reader" or "device", devices),
        schema = SCHEMA,
        sync = {
            url = (server.url:gsub("^http", "ws")), token = auth.sign(claims, server.key), partition = partition,
            tls = { ca = server.dir .. "/data/tls/cert.pem" },
        },
    }))
    if paused then return realm end
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
    local before = cpu_of("self")
    shell(("touch '%s/ready'"):format(reader.dir))
    assert(loop.run(function() return realm:objects("Item"):count() >= reader.count end, 200))
    local done = assert(io.open(reader.dir .. "/done.new", "w"))
    done:write(("%d\n"):format(cpu_of("self") - before))
    done:close()
    assert(os.rename(reader.dir .. "/done.new", reader.dir .. "/done"))
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
    support.print(("end_to_end_%s_%s"):format(name, place), facts, options.json)
end

-- In microseconds, of times in seconds.
local function percentile(sorted, share)
    return sorted[math.max(1, math.ceil(#sorted * share))] * 1e6
end

-- ---- workloads --------------------------------------------------------------------------------------

local workloads = {}

-- One write at a time: from realm:write on one device until the object is in the other one's realm.
function workloads.latency(server, place)
    local a, b = device(server, "latency"), device(server, "latency")
    local times, used, begin = {}, meter(server), now()
    for k = 1, 1000 do
        local from = now()
        assert(a:write(function() create(a, k) end))
        while not b:object("Item", k) do loop.step(1) end
        times[k] = now() - from
    end
    local mean = (now() - begin) * 1e6 / #times
    table.sort(times)
    report(place, "latency", used({
        operations = #times, mean_us = mean, p50_us = percentile(times, 0.5), p99_us = percentile(times, 0.99),
    }, #times))
    a:close()
    b:close()
end

local function sustained(server, place, name, writers, count)
    local realms, total = {}, count * writers
    start_reader(server, name, total)
    for w = 1, writers do realms[w] = device(server, name) end
    local from, used = now(), meter(server)
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
    report(place, name, used({
        operations = total, changesets_per_s = total / seconds, server_rss_kb = memory_of(server.pid),
        cpu_reader_us = tonumber((read(server.dir .. "/done"):match("%d+"))) / total,
    }, total))
    for _, realm in ipairs(realms) do realm:close() end
end

function workloads.one_writer(server, place) sustained(server, place, "one_writer", 1, 5000) end
function workloads.two_writers_in_conflict(server, place) sustained(server, place, "two_writers_in_conflict", 2, 2500) end

function workloads.bulk(server, place)
    local a = device(server, "bulk")
    local from, used = now(), meter(server)
    for c = 0, 99 do
        assert(a:write(function()
            for k = 1, 1000 do create(a, c * 1000 + k) end
        end))
    end
    local written = now()
    assert(a:sync_session():wait_for_upload(120))
    local uploaded = now()
    report(place, "upload_100000_objects", used({
        operations = 100000, write_s = written - from, upload_s = uploaded - written,
    }, 100000))
    from, used = now(), meter(server)
    local b = device(server, "bulk")
    local seconds = now() - from
    report(place, "download_100000_objects", used({ operations = b:objects("Item"):count(), seconds = seconds }, 100000))
    -- The same as a whole: for the first one the server has to make the state, for the second it has one.
    for _, name in ipairs({ "made", "kept" }) do
        from, used = now(), meter(server)
        local c = device(server, "bulk", syncline.open_async)
        seconds = now() - from
        assert(c:info().downloaded_changesets == 0)
        report(place, "state_" .. name .. "_100000_objects", used({
            operations = c:objects("Item"):count(), seconds = seconds, received_kb = c:sync_session():traffic().received / 1024,
        }, 100000))
        c:close()
    end
    a:close()
    b:close()
end

function workloads.fan_out(server, place)
    local before = memory_of(server.pid)
    local writer, readers = device(server, "fan"), {}
    for i = 1, 99 do readers[i] = device(server, "fan") end
    local idle = (memory_of(server.pid) - before) / 100
    local times, used = {}, meter(server)
    for k = 1, 100 do
        local from = now()
        assert(writer:write(function() create(writer, k) end))
        for _, reader in ipairs(readers) do
            while not reader:object("Item", k) do loop.step(1) end
        end
        times[k] = now() - from
    end
    table.sort(times)
    report(place, "fan_out_99", used({
        operations = #times, p50_us = percentile(times, 0.5), max_us = times[#times] * 1e6, idle_client_kb = idle,
    }, #times))
    writer:close()
    for _, reader in ipairs(readers) do reader:close() end
end

-- How long one call of step holds a program while 100,000 objects come, in changesets of `size`, with the budget that a
-- step has by itself, with 4 ms, and without bounds.
local function longest_step(server, place, size)
    local a = device(server, "steps" .. size)
    for k = 1, 100000, size do
        assert(a:write(function()
            for i = k, k + size - 1 do create(a, i) end
        end))
    end
    assert(a:sync_session():wait_for_upload(200))
    a:close()
    for name, budget in pairs({ default = false, ms_4 = 0.004, unbounded = { steps = 2147483647 } }) do
        local b = device(server, "steps" .. size, function(given)
            given.sync.paused = true
            return syncline.open(given)
        end, true)
        b:sync_session():resume()
        local times, from = {}, now()
        while b:objects("Item"):count() < 100000 do
            local begin = os.clock() -- of this process: others may have the machine meanwhile
            syncline.step(0, budget or nil)
            times[#times + 1] = os.clock() - begin
        end
        local seconds = now() - from
        table.sort(times)
        report(place, ("longest_step_%d_per_changeset_%s"):format(size, name), {
            operations = 100000, seconds = seconds, longest_ms = times[#times] * 1e3,
            tenth_longest_ms = times[#times - 9] * 1e3,
        })
        b:close()
    end
end

function workloads.longest_step(server, place)
    for _, size in ipairs({ 100, 1000, 100000 }) do longest_step(server, place, size) end
end

local ORDER = { "latency", "one_writer", "two_writers_in_conflict", "bulk", "longest_step", "fan_out" }
local PLACES = { { "fsync", os.getenv("SYNCLINE_BENCH_DISK") or "build" }, { "no_fsync", "/dev/shm" } }

for _, place in ipairs(PLACES) do
    for _, name in ipairs(ORDER) do
        local here = not options.place or options.place == place[1]
        if here and (not options.name or ("end_to_end_" .. name):find(options.name, 1, true)) then
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
