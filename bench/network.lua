-- The network alone, no sync: round trips and throughput of WebSocket messages through an echo server
-- process on loopback, and what an idle connection costs the server.
-- Usage: network.lua [--name PATTERN] [--json] [--dir IGNORED] [--connections N]
local support = dofile("bench/support/report.lua")

local net = require("syncline.core").net
local options = { connections = 1000 }
for i = 1, #arg do
    if arg[i] == "--json" then options.json = true end
    if arg[i] == "--name" then options.name = arg[i + 1] end
    if arg[i] == "--connections" then options.connections = tonumber(arg[i + 1]) end
end

local read = support.read

-- ---- the server process -----------------------------------------------------------------------------

if arg[1] == "--serve" then
    local directory = arg[2]
    local loop = assert(net.loop({}))
    local cert, key = assert(net.certificate(directory))
    local function serve(tls)
        return assert(loop:listen({
            tls = tls and { cert = cert, key = key },
            on_request = function(request)
                collectgarbage()
                collectgarbage()
                request:respond({ body = read("/proc/self/status"):match("VmRSS:%s+(%d+)") })
            end,
            on_upgrade = function(request)
                request:accept({
                    high_water = 64 * 1024 * 1024,
                    on_message = function(connection, data) connection:send(data) end,
                })
            end,
        }))
    end
    local plain, secure = serve(false), serve(true)
    local out = assert(io.open(directory .. "/ports.new", "w"))
    out:write(("%d %d\n"):format(plain:port(), secure:port()))
    out:close()
    assert(os.rename(directory .. "/ports.new", directory .. "/ports"))
    loop:on_signal("term", function() os.exit(0) end)
    while true do loop:step() end
end

-- ---- the measuring process --------------------------------------------------------------------------

local loop = assert(net.loop({}))
local directory = os.tmpname()
os.remove(directory)
os.execute("mkdir -m 700 '" .. directory .. "'")
os.execute(("'%s' bench/network.lua --serve '%s' & echo $! >'%s/pid'"):format(arg[-1] or "lua5.4", directory, directory))

local function wait(condition)
    local deadline = loop:now() + 120
    while not condition() do
        assert(loop:now() < deadline, "no progress for two minutes")
        loop:step(0.05)
    end
end

wait(function() return read(directory .. "/ports") end)
local plain_port, secure_port = read(directory .. "/ports"):match("(%d+) (%d+)")

local function report(name, facts) support.print(name, facts, options.json) end

local function wanted(name) return not options.name or name:find(options.name, 1, true) end

local function connect(tls, callbacks)
    callbacks.url = tls and ("wss://localhost:%s/"):format(secure_port) or ("ws://127.0.0.1:%s/"):format(plain_port)
    callbacks.tls = { ca = directory .. "/cert.pem" }
    callbacks.high_water = 64 * 1024 * 1024
    return assert(loop:connect_websocket(callbacks))
end

-- `count` messages of `size` bytes there and back, at most `window` under way.
local function echo(tls, count, size, window)
    local name = ("network_echo_%s_%d_bytes_window_%d"):format(tls and "tls" or "plain", size, window)
    if not wanted(name) then return end
    local message, sent, got, start, stop = ("x"):rep(size), 0, 0, nil, nil
    connect(tls, {
        on_open = function(connection)
            start = loop:now()
            for _ = 1, window do assert(connection:send(message)) end
            sent = window
        end,
        on_message = function(connection)
            got = got + 1
            if sent < count then
                assert(connection:send(message))
                sent = sent + 1
            elseif got == count then
                stop = loop:now()
                connection:close(1000)
            end
        end,
    })
    wait(function() return stop end)
    local seconds = stop - start
    report(name, { operations = count, ns_per_op = seconds / count * 1e9, mb_per_s = count * size * 2 / seconds / 1e6 })
end

local function server_memory()
    local body
    loop:request({ url = ("http://127.0.0.1:%s/"):format(plain_port), on_done = function(answer) body = answer.body end })
    wait(function() return body end)
    return tonumber(body)
end

-- Connections that have exchanged one message and then say nothing.
local function idle(tls, count)
    local name = ("network_idle_%s_%d_connections"):format(tls and "tls" or "plain", count)
    if not wanted(name) then return end
    local echoed, open = 0, {}
    local function add()
        open[#open + 1] = connect(tls, {
            on_open = function(connection) connection:send(("x"):rep(500)) end,
            on_message = function() echoed = echoed + 1 end,
        })
    end
    for _ = 1, 20 do add() end
    wait(function() return echoed == 20 end)
    local before, start = server_memory(), loop:now()
    for n = 1, count do
        add()
        if n % 50 == 0 then wait(function() return echoed >= n - 20 end) end
    end
    wait(function() return echoed == count + 20 end)
    local seconds = loop:now() - start
    report(name, {
        operations = count, ns_per_op = seconds / count * 1e9,
        server_kb_per_connection = (server_memory() - before) / count,
    })
    for _, connection in ipairs(open) do connection:abort() end
    loop:step(0)
end

-- Memory first and plain first: what a workload frees hides what the next one takes.
idle(false, options.connections)
idle(true, options.connections)
for _, tls in ipairs({ true, false }) do
    echo(tls, 5000, 100, 1)
    echo(tls, 20000, 100, 64)
    echo(tls, 500, 65536, 16)
end

os.execute("kill " .. read(directory .. "/pid"))
loop:close()
os.execute("rm -rf '" .. directory .. "'")
