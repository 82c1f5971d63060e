-- Serialized transactions over real sockets: the server decides, once, and nobody overwrites anybody.
local process = require("support.process")
local syncline = require("syncline")

local SCHEMA = {
    { name = "Counter", primary_key = "_id", properties = { _id = "int", n = "int" } },
    { name = "Note", properties = { text = "string" } },
}

describe("serialized transactions", function()
    local folder, server, realms

    local function start(options)
        options = options or {}
        options.port, options.storage, options.log = options.port or 0, folder .. "/server", { level = "off" }
        server = assert(syncline.server.start(options))
    end

    local function stop()
        server:stop()
        assert(syncline.run(function() return server.stopped end, 10))
        server:close()
        server = nil
    end

    local function open(name, sync)
        sync = sync or {}
        sync.url, sync.partition, sync.ca_file = sync.url or server:url(), "shared", server and server:ca_file() or sync.ca_file
        sync.token = sync.token or server:token("default", "user-" .. name)
        local realm = assert(syncline.open({ path = ("%s/%s.realm"):format(folder, name), schema = SCHEMA, sync = sync }))
        realms[#realms + 1] = realm
        return realm
    end

    local function settle()
        for _ = 1, 2 do
            for _, realm in ipairs(realms) do
                assert(realm:sync_session():wait_for_upload(20))
                assert(realm:sync_session():wait_for_download(20))
            end
        end
    end

    local function raise(realm)
        local counter = realm:object("Counter", 1)
        counter.n = counter.n + 1
    end

    local function begin(count)
        start()
        for i = 1, count do open("realm" .. i) end
        assert(realms[1]:write(function() realms[1]:create("Counter", { _id = 1, n = 0 }) end))
        settle()
    end

    before_each(function()
        folder, realms = process.folder(), {}
    end)

    after_each(function()
        for _, realm in ipairs(realms) do realm:close() end
        if server then stop() end
        process.remove_folder(folder)
    end)

    it("count exactly what was reported as done, however many compete", function()
        begin(4)
        local done, conflicts, open_jobs = 0, 0, 0
        local function try(realm, left)
            if left == 0 then return end
            open_jobs = open_jobs + 1
            realm:transact_async(raise, function(ok, message, code)
                open_jobs = open_jobs - 1
                if ok then
                    done = done + 1
                    return try(realm, left - 1)
                end
                assert(code == "conflict", message)
                conflicts = conflicts + 1
                try(realm, left)
            end)
        end
        for _, realm in ipairs(realms) do try(realm, 5) end
        assert(syncline.run(function() return open_jobs == 0 end, 60))
        assert.equal(20, done)
        assert.is_true(conflicts > 0)
        settle()
        for _, realm in ipairs(realms) do assert.equal(20, realm:object("Counter", 1).n) end
    end)

    it("wait for what was written before, and let others be written meanwhile", function()
        begin(2)
        local a, b = realms[1], realms[2]
        assert(a:write(function() a:object("Counter", 1).n = 10 end))
        local outcome
        a:transact_async(raise, function(...) outcome = { ... } end)
        assert.equal(10, a:object("Counter", 1).n)
        assert(a:write(function() a:create("Note", { text = "meanwhile" }) end))
        assert(syncline.run(function() return outcome end, 20))
        assert.is_true(outcome[1])
        assert.equal(11, a:object("Counter", 1).n)
        settle()
        assert.equal(11, b:object("Counter", 1).n)
        assert.equal(1, b:objects("Note"):count())
    end)

    it("tell observers when the server has accepted, not before", function()
        begin(1)
        local a, seen = realms[1], {}
        a:observe(function(realm) seen[#seen + 1] = realm:object("Counter", 1).n end)
        assert.is_true(a:transact(function(realm)
            raise(realm)
            assert.equal(0, #seen)
        end))
        assert.same({ 1 }, seen)
    end)

    it("create objects without a key that nothing else is taken for", function()
        begin(2)
        local a = realms[1]
        local outcome
        a:transact_async(function(realm) realm:create("Note", { text = "one" }) end, function(ok) outcome = ok end)
        assert(a:write(function() a:create("Note", { text = "two" }) end))
        assert(syncline.run(function() return outcome ~= nil end, 20))
        settle()
        local texts = {}
        for note in realms[2]:objects("Note"):each() do texts[#texts + 1] = note.text end
        table.sort(texts)
        assert.same({ "one", "two" }, texts)
        assert.equal(a:state(), realms[2]:state())
    end)

    it("do nothing when the function fails, gives up or changes nothing", function()
        begin(1)
        local a = realms[1]
        assert.has_error(function()
            a:transact(function(realm)
                raise(realm)
                error("no", 0)
            end)
        end, "no")
        local ok, message, code = a:transact(function(realm)
            raise(realm)
            realm:cancel()
        end)
        assert.same({ nil, "the write was cancelled", "cancelled" }, { ok, message, code })
        assert.is_true(a:transact(function() end))
        local outcome
        a:transact_async(function() error("late", 0) end, function(...) outcome = { ... } end)
        assert(syncline.run(function() return outcome end, 10))
        assert.same({ nil, "late", "error" }, { outcome[1], outcome[2], outcome[3] })
        assert.equal(0, a:object("Counter", 1).n)
        assert.is_false(a:is_writing())
    end)

    it("need the server: without it nothing happens", function()
        begin(1)
        local a, port = realms[1], server:port()
        stop()
        local ok, message, code = a:transact(raise, { timeout = 0.3 })
        assert.is_nil(ok)
        assert.equal("timeout", code)
        assert.is_string(message)
        start({ port = port })
        a:sync_session():reconnect()
        assert.is_true(a:transact(raise, { timeout = 20 }))
        assert.equal(1, a:object("Counter", 1).n)
    end)

    it("survive a server that goes away in the middle", function()
        begin(2)
        local a, port, done = realms[1], server:port(), 0
        local pending
        local function again(ok, message, code)
            pending = nil
            if ok then done = done + 1 else assert(code == "conflict", message) end
        end
        for _ = 1, 4 do
            for turn = 1, 5 do
                pending = true
                a:transact_async(raise, again)
                if turn == 3 then
                    syncline.step(0)
                    for peer in pairs(server.peers) do peer.socket:abort() end
                end
                a:sync_session():reconnect()
                assert(syncline.run(function() return not pending end, 20))
            end
            stop()
            start({ port = port })
        end
        for _, realm in ipairs(realms) do realm:sync_session():reconnect() end
        settle()
        assert.equal(20, done)
        assert.equal(done, realms[2]:object("Counter", 1).n)
    end)

    it("are refused to who may only read", function()
        start({ apps = { default = { permissions = {
            { user = "reader", partition = "*", access = "read" }, { partition = "*", access = "write" } } } } })
        local a = open("writer")
        assert(a:write(function() a:create("Counter", { _id = 1, n = 0 }) end))
        settle()
        local problems = {}
        local b = assert(syncline.open({ path = folder .. "/reader.realm", sync = {
            url = server:url(), token = server:token("default", "reader"), partition = "shared", ca_file = server:ca_file(),
            client_reset = "manual", on_error = function(problem) problems[#problems + 1] = problem.code end } }))
        assert(b:sync_session():wait_for_download(20))
        local ok, _, code = b:transact(raise, { timeout = 20 })
        assert.is_nil(ok)
        assert.equal("unknown", code)
        assert.same({ 230 }, problems)
        b:close()
        assert(a:sync_session():wait_for_download(20))
        assert.equal(0, a:object("Counter", 1).n)
    end)

    it("are plain writes without sync", function()
        local realm = assert(syncline.open({ path = ":memory:", schema = SCHEMA }))
        assert.is_true(realm:transact(function() realm:create("Counter", { _id = 1, n = 1 }) end))
        assert.equal(1, realm:object("Counter", 1).n)
        assert.has_error(function() realm:transact(function() error("no", 0) end) end, "no")
        local outcome
        realm:transact_async(raise, function(ok) outcome = ok end)
        assert.is_true(outcome)
        assert.has_error(function() realm:transact_async(raise) end)
        assert.has_error(function() realm:transact(7) end)
        realm:close()
    end)
end)
