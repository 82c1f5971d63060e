-- The loop as Lua sees it: timers, errors in callbacks, closing, signals, and a foreign loop.

local net = require("syncline.core").net

local function wait(loop, what, condition)
    local deadline = loop:now() + 10
    while not condition() do
        if loop:now() > deadline then error("not within 10 s: " .. what, 2) end
        loop:step(0.05)
    end
end

describe("loop", function()
    local loop

    before_each(function() loop = assert(net.loop({})) end)
    after_each(function() loop:close() end)

    it("fires timers in order, once, and not when stopped", function()
        local order = {}
        loop:timer(0.03, function() order[#order + 1] = "late" end)
        loop:timer(0.01, function() order[#order + 1] = "early" end)
        local stopped = loop:timer(0.02, function() order[#order + 1] = "never" end)
        stopped:stop()
        wait(loop, "the timers", function() return #order == 2 end)
        assert.are.same({ "early", "late" }, order)
    end)

    it("lets a timer start itself again", function()
        local count = 0
        loop:timer(0, function(timer)
            count = count + 1
            if count < 3 then timer:restart(0.001) end
        end)
        wait(loop, "three rounds", function() return count == 3 end)
        assert.is_true((loop:timeout() or 9) > 1) -- libwebsockets looks at itself every 30 s
    end)

    it("says how long it can wait", function()
        assert.are.equal("r", loop:events())
        assert.is_number(loop:pollfd())
        loop:step(0)
        local timer = loop:timer(5, function() end)
        assert.is_true(loop:timeout() <= 5)
        timer:stop()
        local start = loop:now()
        loop:step(0.05)
        assert.is_true(loop:now() - start < 5)
    end)

    it("raises an error of a callback from step, after the C code has returned", function()
        loop:timer(0, function() error("in the timer") end)
        local ok, message = pcall(function()
            for _ = 1, 100 do loop:step(0.05) end
        end)
        assert.is_false(ok)
        assert.is_truthy(tostring(message):find("in the timer", 1, true))
        assert.is_true(loop:step(0)) -- and works on
    end)

    it("hands errors to on_error instead when there is one", function()
        local told = {}
        local other = assert(net.loop({ on_error = function(message) told[#told + 1] = message end }))
        other:timer(0, function() error("first") end)
        other:timer(0, function() error({ code = 7 }) end)
        wait(other, "both", function() return #told == 2 end)
        assert.is_truthy(tostring(told[1]):find("first", 1, true))
        assert.are.equal(7, told[2].code)
        other:close()
    end)

    it("tells of a step that held its thread, and not of one that waited", function()
        local held = {}
        loop:on_held(0.05, function(seconds) held[#held + 1] = seconds end)
        local fired
        loop:timer(0.1, function() fired = true end)
        wait(loop, "the timer", function() return fired end)
        local long = loop:now() + 0.06
        loop:timer(0, function() while loop:now() < long do end end) -- luacheck: ignore 542
        wait(loop, "the long step", function() return held[1] and held[1] >= 0.05 end)
        local before = #held
        loop:on_held(0, nil)
        loop:step(0)
        assert.are.equal(before, #held)
    end)

    it("cannot be stepped or closed from inside a callback", function()
        local step_ok, close_ok
        loop:timer(0, function()
            step_ok = pcall(loop.step, loop, 0)
            close_ok = pcall(loop.close, loop)
        end)
        wait(loop, "the timer", function() return step_ok ~= nil end)
        assert.is_false(step_ok)
        assert.is_false(close_ok)
    end)

    it("wakes up for a signal", function()
        local got = 0
        assert(loop:on_signal("usr1", function() got = got + 1 end))
        local pid = io.open("/proc/self/stat"):read("*n")
        assert(os.execute("kill -USR1 " .. string.format("%d", pid)))
        wait(loop, "the signal", function() return got == 1 end)
        assert(loop:on_signal("usr1", nil))
        assert.has_error(function() loop:on_signal("nonsense", function() end) end)
    end)

    it("refuses wrong options loudly", function()
        assert.has_error(function() loop:listen({}) end)
        assert.has_error(function() loop:listen({ on_request = 7 }) end)
        assert.has_error(function() loop:listen({ on_request = print, tls = { cert = "x" } }) end)
        assert.has_error(function() loop:listen({ on_request = print, tls = { cert = "a", key = "b", min = "1.1" } }) end)
        assert.has_error(function() loop:connect_websocket({}) end)
        assert.has_error(function() loop:connect_websocket({ url = "ftp://x/" }) end)
        assert.has_error(function() loop:connect_websocket({ url = "ws://x/", headers = { ["A\r\nB"] = "c" } }) end)
        assert.has_error(function() loop:request({ url = "http://x/", headers = { Host = "y" } }) end)
        local server, message = loop:listen({ on_request = print, tls = { cert = "/nonexistent", key = "/nonexistent" } })
        assert.is_nil(server)
        assert.is_truthy(message:find("/nonexistent", 1, true))
    end)

    it("tells that a port is taken", function()
        local first = assert(loop:listen({ on_request = function() end }))
        local second, message = loop:listen({ port = first:port(), on_request = function() end })
        assert.is_nil(second)
        assert.is_truthy(message:find("in use", 1, true))
    end)

    it("closes with everything still open, and objects outlive it", function()
        local server = assert(loop:listen({ on_request = function() end,
            on_upgrade = function(request) request:accept({}) end }))
        local opened
        local connection = assert(loop:connect_websocket({ url = "ws://127.0.0.1:" .. server:port() .. "/",
            on_open = function() opened = true end, on_close = function() error("no callbacks while closing") end }))
        local held
        loop:request({ url = "http://127.0.0.1:" .. server:port() .. "/", on_done = function() held = true end })
        local timer = loop:timer(100, function() end)
        wait(loop, "the connection", function() return opened end)
        loop:close()
        loop:close()
        assert.is_nil((connection:send("x")))
        connection:close()
        timer:stop()
        server:close()
        assert.is_nil(held)
        assert.has_error(function() loop:step(0) end)
        loop = assert(net.loop({}))
    end)

    it("keeps working while the collector takes what nobody holds", function()
        local server = assert(loop:listen({
            on_request = function(request) request:respond({ body = request.path }) end,
            on_upgrade = function(request)
                request:accept({ on_message = function(connection, data)
                    collectgarbage()
                    connection:send(data)
                end })
            end }))
        local url = "127.0.0.1:" .. server:port()
        local answers, echoes = 0, 0
        for n = 1, 20 do
            loop:request({ url = "http://" .. url .. "/" .. n, on_done = function(answer)
                assert(answer.body == "/" .. n)
                answers = answers + 1
            end })
            loop:connect_websocket({ url = "ws://" .. url .. "/",
                on_open = function(connection) connection:send("m" .. n) end,
                on_message = function(connection, data)
                    assert(data == "m" .. n)
                    echoes = echoes + 1
                    connection:close(1000)
                end })
            collectgarbage()
        end
        wait(loop, "all answers", function()
            collectgarbage()
            return answers == 20 and echoes == 20
        end)
    end)

    it("abandons what is cancelled or left", function()
        local waiting
        local server = assert(loop:listen({ on_request = function(request) waiting = request end }))
        local call = assert(loop:request({ url = "http://127.0.0.1:" .. server:port() .. "/",
            on_done = function() error("cancelled") end }))
        wait(loop, "the request", function() return waiting end)
        assert.is_true(waiting:waiting())
        call:cancel()
        wait(loop, "the end", function() return not waiting:waiting() end)
        assert.is_nil((waiting:respond({})))
        assert.are.equal("/", waiting.path)
    end)

    it("answers a request once", function()
        local again, status
        local server = assert(loop:listen({ on_request = function(request)
            request:respond({ status = 202 })
            again = { request:respond({ status = 203 }) }
        end }))
        loop:request({ url = "http://127.0.0.1:" .. server:port() .. "/",
            on_done = function(answer) status = answer.status end })
        wait(loop, "the answer", function() return status end)
        assert.are.equal(202, status)
        assert.is_nil(again[1])
    end)

    it("pauses a connection without losing or reordering messages", function()
        local got, sender = {}, nil
        local server = assert(loop:listen({ on_request = function() end, on_upgrade = function(request)
            request:accept({ on_message = function(connection, data)
                got[#got + 1] = data
                if data == "5" then
                    connection:pause(true)
                    loop:timer(0.05, function()
                        got[#got + 1] = "resumed"
                        connection:pause(false)
                    end)
                end
            end })
        end }))
        sender = assert(loop:connect_websocket({ url = "ws://127.0.0.1:" .. server:port() .. "/", on_open = function()
            for n = 1, 10 do sender:send(tostring(n)) end
        end }))
        wait(loop, "the messages", function() return #got == 11 end)
        assert.are.equal("1 2 3 4 5 resumed 6 7 8 9 10", table.concat(got, " "))
    end)

    it("never writes tokens into the log", function()
        local log = {}
        local other = assert(net.loop({ on_log = function(line) log[#log + 1] = line end }))
        local server = assert(other:listen({ on_request = function(request) request:respond({ status = 401 }) end }))
        local secret, done = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2ln", 0
        local base = "127.0.0.1:" .. server:port() .. "/realm-sync?baas_at=" .. secret
        local function count() done = done + 1 end
        other:connect_websocket({ url = "ws://" .. base, on_close = count })
        other:connect_websocket({ url = "wss://" .. base, on_close = count })
        other:connect_websocket({ url = "ws://" .. secret .. ".invalid/", on_close = count, timeout = 2 })
        other:request({ url = "http://" .. base, headers = { Authorization = "Bearer " .. secret }, on_done = count })
        local ok, message = pcall(other.connect_websocket, other, { url = "ws://h/ x?baas_at=" .. secret })
        assert.is_false(ok)
        assert.is_nil(message:find(secret, 1, true))
        wait(other, "the ends", function() return done == 4 end)
        for _, line in ipairs(log) do assert.is_nil(line:find("baas_at", 1, true)) end
        other:close()
    end)

    it("runs inside luv's loop", function()
        local found, uv = pcall(require, "luv")
        if not found then
            pending("luv is not installed for this Lua")
            return
        end
        local attached = assert(require("syncline.loop.luv").attach(loop, uv))
        local server = assert(loop:listen({ on_request = function(request)
            loop:timer(0.02, function() request:respond({ body = "late" }) end)
        end }))
        local body
        loop:request({ url = "http://127.0.0.1:" .. server:port() .. "/", on_done = function(answer)
            body = answer.body
            attached:stop()
        end })
        local limit = uv.new_timer()
        limit:start(10000, 0, function() attached:stop() end)
        limit:unref()
        local start = uv.hrtime()
        uv.run()
        limit:close()
        uv.run()
        assert.are.equal("late", body)
        assert.is_true(uv.hrtime() - start < 5e9)
    end)
end)
