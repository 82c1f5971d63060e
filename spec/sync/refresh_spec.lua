-- REFRESH through a running server: devices on protocol 3 send their next token over the open connection.
local auth = require("syncline.auth")
local process = require("support.process")
local syncline = require("syncline")

local ROUTE = "/api/client/v2.0/app/default/realm-sync"

describe("REFRESH", function()
    local folder, server, devices

    -- What users may do is in their tokens.
    local function start()
        server = assert(syncline.server.start({
            port = 0, storage = folder .. "/server", log = { level = "off" }, token_leeway = 0, tls = false,
            apps = { default = { anonymous = true, permissions = function(user)
                return user.data.may == "nothing" and "none" or "read"
            end } },
        }))
    end

    local function token(user, lifetime, more)
        local now = os.time()
        local claims = { typ = "access", sub = user, aud = "default", iat = now, exp = now + lifetime }
        for name, value in pairs(more or {}) do claims[name] = value end
        return assert(auth.sign(claims, server.keyring.signing))
    end

    -- A device that says by hand what old SDKs say.
    local function connect(bearer)
        local device = { heads = {} }
        device.socket = assert(server.loop:connect_websocket({
            url = server:url():gsub("^http", "ws") .. ROUTE, protocols = { "com.mongodb.realm-sync#3" },
            headers = { Authorization = "Bearer " .. bearer },
            on_open = function() device.open = true end,
            on_message = function(_, data) device.heads[#device.heads + 1] = data:match("^[^\n]*") end,
            on_close = function(_, code) device.closed = code end,
        }))
        function device.hears(pattern)
            for i, head in ipairs(device.heads) do
                if head:match(pattern) then return table.remove(device.heads, i) end
            end
        end
        function device.say(text) assert(device.socket:send(text)) end
        assert(syncline.run(function() return device.open or device.closed end, 10))
        devices[#devices + 1] = device
        return device
    end

    local function bind(device, partition)
        local path = '"' .. partition .. '"'
        device.say(("bind 1 %d 0 1 0\n%s"):format(#path, path))
        assert(syncline.run(function() return device.hears("^ident") end, 10))
        return device
    end

    local function refresh(device, text)
        device.say(("refresh 1 %d\n%s"):format(#text, text))
    end

    local function until_heard(device, pattern)
        assert(syncline.run(function() return device.hears(pattern) or device.closed end, 10))
    end

    local function answers(device)
        device.say("ping 7 0\n")
        until_heard(device, "^pong 7")
        return not device.closed
    end

    before_each(function()
        folder, devices = process.folder(), {}
        start()
    end)

    after_each(function()
        for _, device in ipairs(devices) do
            if not device.closed then device.socket:abort() end
        end
        server:close()
        process.remove_folder(folder)
    end)

    it("makes the new token count instead of the old one", function()
        local without, with = bind(connect(token("ann", 1)), "a"), bind(connect(token("ann", 1)), "a")
        refresh(with, token("ann", 3600))
        assert.is_true(answers(with))
        assert(syncline.run(function() return without.closed end, 10))
        assert.is_true(answers(with)) -- though the token that it came with has ended
        refresh(with, token("ann", 1))
        assert(syncline.run(function() return with.closed end, 10))
    end)

    it("ends the session with 203 for a bad token, and for another user's", function()
        for _, text in ipairs({ "nonsense", token("bob", 3600), token("ann", -60), token("ann", 60, { aud = "other" }) }) do
            local device = bind(connect(token("ann", 3600)), "a")
            refresh(device, text)
            until_heard(device, "^error 203 ")
            assert.is_true(answers(device)) -- the connection stays
        end
    end)

    it("sends the device away when the new token gives other rights", function()
        local device = bind(connect(token("ann", 3600)), "a")
        refresh(device, token("ann", 3600, { user_data = { may = "nothing" } }))
        assert(syncline.run(function() return device.closed end, 10))
    end)
end)
