-- syncline.core.server: files and connections, driven by hand and by our own clients, without sockets.
local core = require("syncline.core")

local function item_schema()
    return {
        {
            name = "Item",
            primary_key = "_id",
            properties = { { name = "_id", type = "int" }, { name = "n", type = "int" } },
        },
    }
end

describe("core.server", function()
    local file, opened, work, woken, troubles

    local function connect(options)
        options = options or {}
        options.open = options.open or function(request)
            opened[#opened + 1] = request
            return file, "write"
        end
        options.wake = function(connection) woken[connection] = true end
        options.trouble = function(message, code, class)
            troubles[#troubles + 1] = { message = message, code = code, class = class }
        end
        return assert(core.server.connection(options))
    end

    before_each(function()
        opened, work, woken, troubles = {}, 0, {}, {}
        file = assert(core.server.file({ path = ":memory:", on_work = function() work = work + 1 end }))
    end)

    after_each(function() file:close() end)

    it("holds the first conversation", function()
        local server = connect({ co_id = "abc" })
        assert.equal(14, server:version())
        assert.equal(
            'log_message 0 61\n{"co_id":"abc","level":"info","msg":"connection accepted"}',
            (server:send():gsub("^log_message 0 %d+", "log_message 0 61"))
        )
        assert(server:receive('bind 1 8 0 1 0\n"europe"'))
        assert.same({ session = 1, kind = "text", partition = '"europe"', path = '"europe"', user = "" }, opened[1])
        assert.equal(1, work)
        assert.is_true(file:waiting())
        assert.is_false(server:send())
        assert(file:work())
        assert.is_true(woken[server])
        local salt = server:send():match("^ident 1 2 (%d+)\n$")
        assert(server:receive("ident 1 2 " .. salt .. " 0 0 0 0\n"))
        assert(server:receive("mark 1 1\n"))
        assert(server:receive("ping 7 0\n"))
        assert.equal("pong 7\n", server:send())
        assert.equal("log_message 1 82\n{\"level\":\"debug\",\"msg\":\"session bound as client file 2, " ..
            "at server version 0 of 0\"}", server:send())
        assert.equal("download 1 0 0 0 0 0 0 0 0 0 0\n", server:send())
        assert.equal("mark 1 1\n", server:send())
        assert.is_false(server:send())
        assert.equal(1, server:sessions())
        assert.equal(1, file:sessions())
        local clients = assert(file:clients())
        assert.equal(1, #clients)
        assert.equal(2, clients[1].ident)
        assert.is_nil(server:wish())
        server:shutdown()
        assert.same({ "close", 1011, "server is shutting down" }, { server:wish() })
        server:close()
        assert.equal(0, file:sessions())
    end)

    it("lets the host refuse a partition", function()
        local server = connect({
            open = function(request)
                if request.partition == '"a"' then return nil, "not yours", 206 end
                if request.partition == '"b"' then return nil, "disk on fire" end
                if request.partition == '"c"' then return nil, "none" end
                if request.partition == '"d"' then error("oops") end
                return false, "write"
            end,
        })
        for index, name in ipairs({ "a", "b", "c", "d", "e" }) do
            assert(server:receive(('bind %d 3 0 1 0\n"%s"'):format(index, name)))
            local code = server:send():match("^json_error (%d+) ")
            assert.equal(name == "a" and "206" or "201", code)
        end
        assert.equal(4, #troubles)
        assert.truthy(troubles[3].message:find("oops", 1, true))
        server:close()
    end)

    it("names versions, partitions and refusals", function()
        local chosen = assert(core.server.negotiate("com.mongodb.realm-sync#14, com.mongodb.realm-sync#13"))
        assert.equal("com.mongodb.realm-sync#14", chosen.token)
        assert.is_false(chosen.mismatch)
        assert.same({ '{"$numberLong":"42"}', "int" }, { core.server.partition("42") })
        local nothing, message, code = core.server.partition("true")
        assert.is_nil(nothing)
        assert.is_string(message)
        assert.equal(204, code)
        assert.equal(400, (select(3, core.server.negotiate("chat"))))
    end)

    it("survives the collection of everything in any order", function()
        for _ = 1, 20 do
            local lost = assert(core.server.file({ path = ":memory:", on_work = function() end }))
            local server = connect({ open = function() return lost, "write" end })
            server:receive('bind 1 3 0 1 0\n"x"')
            lost, server = nil, nil -- luacheck: ignore
        end
        collectgarbage()
        collectgarbage()
        local server = connect()
        server:receive('bind 1 3 0 1 0\n"x"')
        file:close()
        assert.truthy(server:send():find("^json_error 200 "))
        server:close()
        assert.has_error(function() server:send() end)
        assert.has_error(function() file:work() end)
        file = assert(core.server.file({ path = ":memory:" }))
    end)

    it("synchronises our clients", function()
        local devices = {}

        local function add()
            local device = { realm = assert(core.realm.open({ path = ":memory:" })) }
            device.client = assert(core.client.connection({ token = "t" }))
            device.session = assert(device.client:session(device.realm, { path = '"p"', upload_delay = false }))
            local event = device.client:next_event()
            while event.type ~= "connect" do event = device.client:next_event() end
            device.attempt = event.attempt
            local chosen = assert(core.server.negotiate(event.offer))
            device.server = connect({ version = chosen.version })
            assert(device.client:opened(device.attempt, chosen.token))
            devices[#devices + 1] = device
            return device
        end

        local function settle()
            local busy = true
            while busy do
                busy = false
                for _, device in ipairs(devices) do
                    for message in function() return device.client:send() or nil end do
                        assert(device.server:receive(message))
                        busy = true
                    end
                    for message in function() return device.server:send() or nil end do
                        assert(device.client:receive(device.attempt, message))
                        busy = true
                    end
                    for event in function() return device.client:next_event() end do
                        assert.not_equal("error", event.type)
                        assert.not_equal("disconnect", event.type)
                    end
                end
                if file:waiting() then
                    assert(file:work())
                    busy = true
                end
            end
        end

        local function write(device, body)
            assert(device.realm:begin())
            body(device.realm)
            assert(device.realm:commit())
        end

        local a, b, c = add(), add(), add()
        write(a, function(realm) realm:apply_schema(item_schema()) end)
        settle()
        for round = 1, 5 do
            for index, device in ipairs(devices) do
                write(device, function(realm)
                    realm:apply_schema(item_schema())
                    local item = realm:create("Item", round * 10 + index % 2)
                    item.n = round * 100 + index
                end)
            end
            settle()
        end
        local state = assert(file:state())
        for _, device in ipairs({ a, b, c }) do
            assert.equal(state, assert(device.realm:state()))
            device.client:close()
            device.server:close()
            device.realm:close()
        end
        assert.equal(file:version(), #assert(file:entries({ changesets = true })))
    end)
end)
