-- Server and clients of this module over real sockets and TLS, in one process on the shared loop.
local core = require("syncline.core")
local loop = require("syncline.loop")
local process = require("support.process")
local syncline = require("syncline")

local SCHEMA = {
    {
        name = "Item", primary_key = "_id",
        properties = {
            { name = "_id", type = "int" }, { name = "text", type = "string?" }, { name = "n", type = "int" },
            { name = "tags", type = "string[]" }, { name = "labels", type = "string<>" }, { name = "attrs", type = "mixed{}" },
            { name = "friend", type = "Item" }, { name = "home", type = "object", class = "Home" },
            { name = "when", type = "timestamp?" }, { name = "any", type = "mixed" },
        },
    },
    { name = "Home", embedded = true, properties = { street = "string", number = "int?" } },
}

describe("sync", function()
    local folder, server, realms

    local function start(options)
        options = options or {}
        options.port, options.storage = options.port or 0, folder .. "/server"
        options.log = { level = "off" }
        server = assert(syncline.server.start(options))
        return server
    end

    local function stop()
        server:stop()
        assert(syncline.run(function() return server.stopped end, 10))
        server:close()
        server = nil
    end

    local function open(name, sync, options)
        sync = sync or {}
        sync.url = sync.url or not sync.user and server:url() or nil
        if not sync.user then sync.token = sync.token or server:token("default", "user-" .. name) end
        if sync.partition == nil then sync.partition = "shared" end
        sync.ca_file = sync.ca_file or server:ca_file()
        options = options or {}
        options.path, options.schema, options.sync = ("%s/%s.realm"):format(folder, name), SCHEMA, sync
        local realm = assert(syncline.open(options))
        realms[#realms + 1] = realm
        return realm
    end

    local function settle(...)
        for _ = 1, 2 do
            for _, realm in ipairs({ ... }) do
                assert(realm:sync_session():wait_for_upload(20))
                assert(realm:sync_session():wait_for_download(20))
            end
        end
    end

    before_each(function()
        folder, realms = process.folder(), {}
    end)

    after_each(function()
        for _, realm in ipairs(realms) do realm:close() end
        if server then stop() end
        process.remove_folder(folder)
    end)

    it("tells clients what the server can do beyond the protocol", function()
        start()
        local session = open("a"):sync_session()
        assert(session:wait_for_download(20))
        local announced = core.server.features()
        assert.truthy(announced:find("alloc", 1, true))
        for word in announced:gmatch("%a+") do assert.is_true(session.connection.core:features()[word]) end
    end)

    it("passes on what the server says about connection and session", function()
        start()
        local lines = {}
        local session = open("a", { on_log = function(level, text) lines[#lines + 1] = level .. ": " .. text end }):sync_session()
        assert(session:wait_for_download(20))
        assert.equal("info: connection accepted", lines[1])
        assert.truthy(lines[2]:match("^debug: session bound as client file 2, "))
        assert.equal(2, #lines)
        lines = {}
        local old = open("b", { max_version = 9, on_log = function(_, text) lines[#lines + 1] = text end }):sync_session()
        assert(old:wait_for_download(20))
        assert.same({}, lines) -- versions before 10 do not know the message
    end)

    it("gives a second-tier server idents for its own clients, who then write in their names", function()
        start()
        local a, tier = open("a"), open("tier", { subserver = true })
        assert(a:write(function() a:create("Item", { _id = 1, n = 0 }) end))
        settle(a, tier)
        local first, second = assert(tier:sync_session():allocate(20)), assert(tier:sync_session():allocate(20))
        assert.is_true(first > 3 and second > first)
        assert(tier:write_as(first, function() tier:object("Item", 1).n = 5 end))
        local heard = 0
        tier:observe(function() heard = heard + 1 end)
        settle(a, tier)
        assert.equal(5, a:object("Item", 1).n)
        assert.equal(0, heard)
        local session = a:sync_session()
        assert.has_error(function() session:allocate(1) end)
        assert.is_false(a:is_writing())
        assert.is_nil(a:write_as(1, function() end))
    end)

    it("carries every kind of data from one client to another", function()
        start()
        local a, b = open("a"), open("b")
        assert(a:write(function()
            local one = a:create("Item", { _id = 1, text = "one", n = 5, tags = { "x", "y" }, labels = { "l" } })
            a:create("Item", {
                _id = 2, n = syncline.int64("9223372036854775807"), friend = one, home = { street = "Main", number = 7 },
                attrs = { a = 1, b = syncline.decimal("1.5"), c = { 1, { deep = true } } }, when = syncline.timestamp(5, 6),
                any = syncline.uuid("00112233-4455-4677-8899-aabbccddeeff"),
            })
        end))
        settle(a, b)
        assert.equal(a:state(), b:state())
        local two = b:object("Item", 2)
        assert.equal("one", two.friend.text)
        assert.equal("Main", two.home.street)
        assert.equal(true, two.attrs.c[2].deep)
        assert.equal(syncline.timestamp(5, 6), two.when)
        assert(b:write(function()
            two.home.number = 8
            two.friend.tags:insert("z")
            two.attrs.a = nil
            b:delete(two.friend)
        end))
        settle(b, a)
        assert.equal(b:state(), a:state())
        assert.is_nil(a:object("Item", 1))
        assert.equal(8, a:object("Item", 2).home.number)
    end)

    it("merges what was edited offline on both sides", function()
        start()
        local a, b = open("a"), open("b")
        assert(a:write(function() a:create("Item", { _id = 1, n = 0, tags = { "base" }, text = "t" }) end))
        settle(a, b)
        a:sync_session():pause()
        b:sync_session():pause()
        for i = 1, 5 do
            assert(a:write(function()
                a:object("Item", 1):increment("n")
                a:object("Item", 1).tags:insert("a" .. i)
            end))
            assert(b:write(function()
                b:object("Item", 1):increment("n", 10)
                b:object("Item", 1).tags:insert(1, "b" .. i)
                b:object("Item", 1).text = "from b"
            end))
        end
        a:sync_session():resume()
        b:sync_session():resume()
        settle(a, b)
        assert.equal(a:state(), b:state())
        assert.equal(55, a:object("Item", 1).n)
        assert.equal(11, a:object("Item", 1).tags:count())
        assert.equal("from b", a:object("Item", 1).text)
    end)

    it("tells observers what came from elsewhere", function()
        start()
        local a, b = open("a"), open("b")
        settle(a, b)
        local seen = {}
        b:objects("Item"):where({ n = { "<", 10 } }):observe(function(_, changes) seen[#seen + 1] = changes end)
        assert(a:write(function() a:create("Item", { _id = 1, n = 1 }) end))
        settle(a, b)
        assert(a:write(function() a:object("Item", 1).n = 2 end))
        settle(a, b)
        assert(a:write(function() a:delete(a:object("Item", 1)) end))
        settle(a, b)
        assert.equal(4, #seen)
        assert.same({}, seen[1].insertions)
        assert.same({ 1 }, seen[2].insertions)
        assert.same({ 1 }, seen[3].modifications)
        assert.same({ 1 }, seen[3].old_modifications)
        assert.same({ 1 }, seen[4].deletions)
    end)

    it("lets an observer write", function()
        start()
        local a, b = open("a"), open("b")
        settle(a, b)
        b:objects("Item"):observe(function(items, changes)
            if #changes.insertions > 0 then
                assert(b:write(function() items:first().text = "seen" end))
            end
        end)
        assert(a:write(function() a:create("Item", { _id = 1, n = 1 }) end))
        assert(syncline.run(function()
            local item = a:object("Item", 1)
            return item and item.text == "seen"
        end, 20))
    end)

    it("keeps partitions apart, whatever their type", function()
        start()
        local partitions = { "x", "42", 42, syncline.null, syncline.objectid(), syncline.uuid(), "/x", "\"" }
        for i, partition in ipairs(partitions) do
            local realm = open("p" .. i, { partition = partition })
            assert(realm:write(function() realm:create("Item", { _id = i, n = i }) end))
            settle(realm)
            assert.equal(1, realm:objects("Item"):count())
        end
        for i, partition in ipairs(partitions) do
            local realm = open("q" .. i, { partition = partition })
            settle(realm)
            assert.equal(1, realm:objects("Item"):count())
            assert.equal(i, realm:objects("Item"):first()._id)
        end
    end)

    it("goes on after a restart of server and clients, and sends nothing twice", function()
        start()
        local port = server:port()
        local a = open("a")
        assert(a:write(function() a:create("Item", { _id = 1, n = 1, tags = { "t" } }) end))
        settle(a)
        a:close()
        stop()
        local offline = assert(syncline.open({ path = folder .. "/a.realm" }))
        assert(offline:write(function()
            offline:object("Item", 1):increment("n")
            offline:object("Item", 1).tags:insert("u")
        end))
        offline:close()
        start({ port = port })
        a = open("a")
        local b = open("b")
        settle(a, b)
        assert.equal(2, b:object("Item", 1).n)
        assert.same({ "t", "u" }, syncline.to_table(b:object("Item", 1).tags))
        assert.equal(a:state(), b:state())
    end)

    it("comes back by itself when the server was away", function()
        start()
        local port = server:port()
        local a = open("a")
        settle(a)
        stop()
        assert(a:write(function() a:create("Item", { _id = 1, n = 1 }) end))
        local ok, _, code = a:sync_session():wait_for_upload(0.3)
        assert.is_nil(ok)
        assert.equal("timeout", code)
        start({ port = port })
        a:sync_session():reconnect()
        settle(a)
        local b = open("b")
        settle(b)
        assert.equal(1, b:objects("Item"):count())
    end)

    it("refuses tokens that are not good for the app", function()
        start({ apps = { default = { anonymous = true }, other = { anonymous = true } } })
        local function refused(token)
            local realm = open("x" .. #realms, { token = token, on_error = function() end })
            local ok, message = realm:sync_session():wait_for_download(10)
            assert.is_nil(ok)
            assert.matches("refused the access token", message)
        end
        refused("nonsense")
        refused(server:token("other", "u"))
        refused(server:token("default", "u", -3600))
        local good = server:token("default", "u")
        refused(good:sub(1, -3) .. (good:sub(-2) == "AA" and "BB" or "AA"))
    end)

    it("takes a fresh token and goes on", function()
        start()
        local realm = open("a", { token = "nonsense", on_error = function() end })
        assert.is_nil(realm:sync_session():wait_for_download(10))
        realm:sync_session():set_token(server:token("default", "user-a"))
        settle(realm)
    end)

    it("trusts no certificate that it was not told to trust", function()
        start()
        local realm = open("a", { ca_file = "/etc/ssl/certs/ca-certificates.crt" })
        local ok, message, code = realm:sync_session():wait_for_download(10)
        assert.is_nil(ok)
        assert.matches("certificate", message)
        assert.equal("tls", code)
    end)

    it("works without TLS only when both sides ask for it", function()
        start({ tls = false })
        assert.matches("^http://", server:url())
        settle(open("a"))
    end)

    it("keeps users out of partitions that rules do not give them", function()
        start({ apps = { default = { anonymous = true, permissions = {
            { partition = "open", access = "write" }, { partition = "look", access = "read" },
        } } } })
        local function try(partition)
            local problem
            local realm = open("r" .. partition, { partition = partition, on_error = function(p) problem = problem or p end })
            local ok = realm:sync_session():wait_for_download(10)
            if ok then ok = realm:sync_session():wait_for_upload(3) end
            return ok, problem
        end
        assert.is_true((try("open")))
        local ok, problem = try("closed")
        assert.is_nil(ok)
        assert.equal(206, problem.code)
        ok, problem = try("look")
        assert.is_nil(ok)
        assert.equal(230, problem.code)
    end)

    it("logs in to apps, remembers the user, and starts offline", function()
        start()
        local app = assert(syncline.app({
            id = "default", base_url = server:url(), tls = { ca = server:ca_file() }, path = folder .. "/users.json" }))
        local user = assert(app:log_in({ provider = "anonymous" }))
        assert.equal(user.id, assert(user:profile()).user_id)
        settle(open("a", { user = user }))
        local old = user.access_token
        local fresh
        user:refresh(function(token) fresh = token end)
        assert(syncline.run(function() return fresh end, 10))
        assert.equal(fresh, user.access_token)
        assert.is_string(old)
        local again = assert(syncline.app({ id = "default", base_url = server:url(), path = folder .. "/users.json" }))
        assert.equal(user.id, again:current_user().id)
        assert.is_true(user:log_out())
        assert.is_nil(app:current_user())
        assert.has_error(function() app:log_in({ provider = "magic" }) end)
        local none, message = assert(syncline.app({ id = "nobody", base_url = server:url(),
            tls = { ca = server:ca_file() } })):log_in({ provider = "anonymous" })
        assert.is_nil(none)
        assert.matches("cannot find app", message)
    end)

    -- A place that tells where the app is, and whose own sync server has moved away: it closes with 4003.
    local function old_place(sync_url)
        local place = { asked = 0, upgrades = 0 }
        place.socket = assert(loop.get():listen({
            host = "127.0.0.1", port = 0,
            on_request = function(request)
                place.asked = place.asked + 1
                request:respond({ status = 200, headers = { ["Content-Type"] = "application/json" }, body = core.json.encode({
                    hostname = server:url(), ws_hostname = sync_url(place), location = "here", deployment_model = "LOCAL" }) })
            end,
            on_upgrade = function(request)
                place.upgrades = place.upgrades + 1
                local offer = request.headers["sec-websocket-protocol"]
                request:accept({ protocol = offer:match("^[^, ]+"), on_message = function() end }):close(4003, "moved")
            end,
        }))
        place.url = ("http://127.0.0.1:%d"):format(place.socket:port())
        return place
    end

    it("asks where the app is when the server has moved", function()
        start()
        local there = server:url():gsub("^http", "ws")
        local place = old_place(function(self)
            return self.upgrades == 0 and self.url:gsub("^http", "ws") or there
        end)
        finally(function() place.socket:close() end)
        local app = assert(syncline.app({ id = "default", base_url = place.url, tls = { ca = server:ca_file() } }))
        local user = assert(app:log_in({ provider = "anonymous" }))
        assert.equal(1, place.asked)
        local a = open("a", { user = user })
        settle(a)
        assert.equal(1, place.upgrades)
        assert.equal(2, place.asked)
        assert.equal(there, user:sync_url())
    end)

    it("asks where the app is when it is not where it was in the last run, and gives up on circles", function()
        start()
        local there = server:url():gsub("^http", "ws")
        local place = old_place(function() return there end)
        local dead = old_place(function() return there end)
        dead.socket:close()
        local path = folder .. "/users.json"
        local app = assert(syncline.app({ id = "default", base_url = place.url, path = path, tls = { ca = server:ca_file() } }))
        assert(app:log_in({ provider = "anonymous" }))
        local stored = core.json.decode(process.read_file(path))
        stored.ws_host = dead.url:gsub("^http", "ws")
        process.write_file(path, core.json.encode(stored))
        app = assert(syncline.app({ id = "default", base_url = place.url, path = path, tls = { ca = server:ca_file() } }))
        settle(open("a", { user = app:current_user() }))
        assert.equal(there, app:current_user():sync_url())
        place.socket:close()
        -- Two places that name each other: the second move waits like any other failure.
        local here, other
        here = old_place(function(self) return (self.upgrades % 2 == 0 and self or other).url:gsub("^http", "ws") end)
        other = old_place(function() return here.url:gsub("^http", "ws") end)
        finally(function()
            here.socket:close()
            other.socket:close()
        end)
        app = assert(syncline.app({ id = "default", base_url = here.url, tls = { ca = server:ca_file() } }))
        local b = open("b", { user = assert(app:log_in({ provider = "anonymous" })) })
        b:sync_session():wait_for_download(2)
        assert.is_true(here.upgrades + other.upgrades >= 2)
        assert.is_true(here.upgrades + other.upgrades <= 6, here.upgrades .. " " .. other.upgrades)
    end)

    it("moves a lot", function()
        start()
        local a, b = open("a"), open("b")
        for first = 1, 5000, 500 do
            assert(a:write(function()
                for i = first, first + 499 do a:create("Item", { _id = i, n = i, text = ("text "):rep(10) .. i }) end
            end))
        end
        settle(a, b)
        assert.equal(5000, b:objects("Item"):count())
        assert.equal(a:state(), b:state())
        local traffic = b:sync_session():traffic()
        assert.is_true(traffic.received < traffic.uncompressed / 2)
    end)
end)
