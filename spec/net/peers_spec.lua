-- Our server against an independent client, and our client against an independent server.

local core = require("syncline.core")
local net = core.net

local PYTHON = os.getenv("SYNCLINE_PYTHON") or "/usr/bin/python3"

local function read_file(path)
    local file = io.open(path, "rb")
    if not file then return nil end
    local text = file:read("*a")
    file:close()
    return text
end

local function make_directory()
    local path = os.tmpname()
    os.remove(path)
    assert(os.execute("mkdir -m 700 '" .. path .. "'"))
    return path
end

-- Steps the loop until the condition holds.
local function wait(loop, seconds, what, condition)
    local deadline = loop:now() + seconds
    while not condition() do
        if loop:now() > deadline then error("not within " .. seconds .. " s: " .. what, 2) end
        loop:step(0.05)
    end
end

describe("network peers", function()
    local directory, loop, cert, key, errors

    before_each(function()
        directory = make_directory()
        errors = {}
        loop = assert(net.loop({ on_error = function(message) errors[#errors + 1] = message end }))
        cert, key = assert(net.certificate(directory))
    end)

    after_each(function()
        loop:close()
        os.execute("rm -rf '" .. directory .. "'")
    end)

    -- Starts the peer in the background; returns a function that tells its output once it has ended.
    local function start_peer(arguments)
        local out = directory .. "/out"
        os.execute(("( %s spec/net/peer.py %s >'%s' 2>&1; echo $? >'%s.code' ) &"):format(PYTHON, arguments, out, out))
        return function() return read_file(out .. ".code") and read_file(out) end
    end

    local routes = {}

    routes["/bytes"] = function(request)
        request:respond({ headers = { ["Content-Type"] = "text/plain" }, body = ("x"):rep(tonumber(request.query)) })
    end
    routes["/mirror"] = function(request) request:respond({ body = request.body }) end
    routes["/empty"] = function(request) request:respond({ status = 204 }) end
    routes["/later"] = function(request)
        loop:timer(0.05, function() request:respond({ body = "in a moment" }) end)
    end

    local upgrades = {}

    local function echo(connection, data) assert(connection:send(data)) end

    upgrades["/echo"] = function(request)
        local offered = request.headers["sec-websocket-protocol"]
        request:accept({ protocol = offered and "b" or nil, limit = 1024 * 1024, high_water = 4 * 1024 * 1024,
            on_message = echo })
    end
    upgrades["/choose"] = function(request)
        request:accept({ protocol = request.headers["sec-websocket-protocol"]:match("^[^,]+") })
    end
    upgrades["/refuse"] = function(request) request:respond({ status = 401, body = "no" }) end
    upgrades["/kick"] = function(request) request:accept({}):close(4001, "token expired") end
    upgrades["/later"] = function(request)
        loop:timer(0.05, function() request:accept({}) end)
    end
    upgrades["/broken"] = function() error("a defect in the handler") end
    upgrades["/impatient"] = function(request) request:accept({ first_timeout = 0.2 }) end

    local function serve(tls)
        return assert(loop:listen({ port = 0, tls = tls and { cert = cert, key = key }, max_body = 100000,
            head_timeout = 0.5, body_timeout = 0.5, keep_alive_timeout = 1,
            on_request = function(request) routes[request.path](request) end,
            on_upgrade = function(request) upgrades[request.path](request) end }))
    end

    it("serves an independent client", function()
        local refused, drained, biggest = 0, 0, 0
        local block = ("y"):rep(64 * 1024)
        upgrades["/flood"] = function(request)
            local connection
            local sent = 0
            local function fill()
                while sent < 8 * 1024 * 1024 do
                    local ok, _, code = connection:send(block)
                    biggest = math.max(biggest, connection:backlog())
                    if not ok then
                        assert.are.equal("busy", code)
                        refused = refused + 1
                        return
                    end
                    sent = sent + #block
                end
            end
            connection = request:accept({ high_water = 256 * 1024, on_writable = function()
                drained = drained + 1
                fill()
            end })
            fill()
        end
        local plain, secure = serve(false), serve(true)
        local output = start_peer(("client %d %d %s"):format(plain:port(), secure:port(), cert))
        wait(loop, 60, "the end of the peer", output)
        local ok, bad = 0, nil
        for line in output():gmatch("[^\n]+") do
            if line:sub(1, 3) == "ok " then ok = ok + 1 else bad = bad or line end
        end
        assert.is_nil(bad)
        assert.are.equal(14, ok)
        assert.is_true(refused > 0 and drained > 0)
        assert.is_true(biggest <= 256 * 1024 + #block + 16)
        -- The one handler that fails on purpose was reported, and nothing else.
        assert.are.equal(1, #errors)
        assert.is_truthy(errors[1]:find("a defect in the handler", 1, true))
        wait(loop, 10, "all connections gone", function() return plain:count() == 0 and secure:count() == 0 end)
        plain:close()
        secure:close()
        loop:step(0)
    end)

    describe("client", function()
        local ports, finished

        before_each(function()
            local portfile = directory .. "/ports"
            finished = start_peer(("server %s %s %s"):format(portfile, cert, key))
            wait(loop, 20, "the peer's ports", function() return finished() or read_file(portfile) end)
            ports = {}
            for port in (read_file(portfile) or error(finished())):gmatch("%d+") do ports[#ports + 1] = tonumber(port) end
        end)

        after_each(function()
            loop:request({ url = ("http://127.0.0.1:%d/quit"):format(ports[4]) })
            wait(loop, 20, "the end of the peer", finished)
        end)

        -- Connects and returns what on_close told.
        local function closed(path, options)
            local result
            local all = { url = ("ws://127.0.0.1:%d%s"):format(ports[4], path), timeout = 5,
                on_close = function(_, code, reason, message, number)
                    result = { code = code, reason = reason, message = message, number = number }
                end }
            for name, value in pairs(options or {}) do all[name] = value end
            local connection = assert(loop:connect_websocket(all))
            wait(loop, 10, "the end of " .. path, function() return result end)
            return result, connection
        end

        local function report()
            local body
            loop:request({ url = ("http://127.0.0.1:%d/"):format(ports[5]),
                on_done = function(answer, message) body = assert(answer, message).body end })
            wait(loop, 10, "the report", function() return body end)
            return body
        end

        it("talks to a server of another make, plain and over TLS", function()
            for n, url in ipairs({ "ws://127.0.0.1:%d/", "wss://localhost:%d/" }) do
                local got, protocol, connection = {}, nil, nil
                connection = assert(loop:connect_websocket({ url = url:format(ports[n]), tls = { ca = cert },
                    protocols = { "a", "b" },
                    on_open = function(_, chosen)
                        protocol = chosen
                        for _, size in ipairs({ 0, 125, 126, 65535, 65536, 3000000 }) do
                            assert(connection:send(("z"):rep(size)))
                        end
                    end,
                    high_water = 8 * 1024 * 1024,
                    on_message = function(_, data) got[#got + 1] = #data end,
                    on_close = function(_, _, _, message) errors[#errors + 1] = message end }))
                wait(loop, 20, "the echoes", function() return #got == 6 or #errors > 0 end)
                assert.are.same({}, errors)
                assert.are.same({ 0, 125, 126, 65535, 65536, 3000000 }, got)
                assert.are.equal("b", protocol)
                assert.are.equal(n == 2 and "TLSv1.3" or nil, connection:tls_version())
                local over
                connection:set({ on_close = function(_, code) over = code end })
                connection:close(1000, "done")
                wait(loop, 10, "the close", function() return over end)
                assert.are.equal(1000, over)
                assert.is_nil(connection:send("x"))
            end
        end)

        it("speaks TLS 1.2 only when asked", function()
            local url = ("wss://localhost:%d/"):format(ports[3])
            local result = closed("", { url = url, tls = { ca = cert } })
            assert.are.equal(1015, result.number)
            local version
            local connection = assert(loop:connect_websocket({ url = url, tls = { ca = cert, min = "1.2" },
                on_open = function(c) version = c:tls_version() end }))
            wait(loop, 10, "the connection", function() return version end)
            assert.are.equal("TLSv1.2", version)
            connection:abort()
        end)

        it("refuses certificates that nobody vouches for", function()
            local url = ("wss://localhost:%d/"):format(ports[2])
            local result = closed("", { url = url })
            assert.are.equal(1015, result.number)
            assert.is_truthy(result.message:find("certificate", 1, true))
            result = closed("", { url = ("wss://127.0.0.2:%d/"):format(ports[2]), tls = { ca = cert } })
            assert.are.equal(4401, result.number) -- nobody listens there
            local opened
            assert(loop:connect_websocket({ url = url, tls = { verify = false },
                on_open = function(c) opened = true c:abort() end }))
            wait(loop, 10, "the connection", function() return opened end)
        end)

        it("ends a connection that breaks the rules with the right code", function()
            local expected = { ["/masked"] = 1002, ["/rsv"] = 1002, ["/opcode"] = 1002, ["/badclose"] = 1002,
                ["/text"] = 1003, ["/huge"] = 1009, ["/continuation"] = 1002, ["/nested"] = 1002, ["/longping"] = 1002,
                ["/splitping"] = 1002, ["/controlcode"] = 1002, ["/badcode"] = 1002, ["/badutf8"] = 1007 }
            for path, code in pairs(expected) do
                local result = closed(path)
                assert.are.equal(code, result.code, path)
                assert.are.equal(code, result.number, path)
            end
            local told = report()
            for path, code in pairs(expected) do
                local hex = ("88 %04x"):format(code)
                assert.is_truthy(told:find(path .. " " .. hex, 1, true), path .. " in " .. told)
            end
        end)

        it("tells how the other side closed", function()
            local result = closed("/close4003")
            assert.are.equal(4003, result.code)
            assert.are.equal("moved", result.reason)
            assert.is_nil(result.message)
            assert.are.equal(1005, closed("/closeempty").code)
            for _, path in ipairs({ "/drop", "/half" }) do
                result = closed(path)
                assert.are.equal(1006, result.code)
                assert.are.equal(4402, result.number)
            end
        end)

        it("puts fragments together and answers pings between them", function()
            local got
            local connection = assert(loop:connect_websocket({ url = ("ws://127.0.0.1:%d/fragments"):format(ports[4]),
                on_message = function(_, data) got = data end }))
            wait(loop, 10, "the message", function() return got end)
            assert.are.equal("ab", got)
            connection:abort()
            wait(loop, 10, "the pong", function() return report():find("/fragments 8a 70", 1, true) end)
        end)

        it("maps refused upgrades", function()
            for _, status in ipairs({ 200, 301, 400, 401, 403, 404, 500, 503 }) do
                assert.are.equal(status, closed("/status/" .. status).number)
            end
            for _, path in ipairs({ "/badaccept", "/unoffered", "/extension", "/garbage" }) do
                assert.are.equal(4405, closed(path, { protocols = "a, b" }).number, path)
            end
            local result = closed("/silent", { timeout = 0.3 })
            assert.are.equal(4401, result.number)
            assert.are.equal(1006, result.code)
        end)
    end)
end)
