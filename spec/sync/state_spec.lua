-- Opening a realm whose content is on the server: over real sockets and TLS, cut in the middle, given up
-- and taken up again.
local auth = require("syncline.auth")
local process = require("support.process")
local syncline = require("syncline")

local SCHEMA = {
    {
        name = "Item", primary_key = "_id",
        properties = { _id = "int", text = "string", friend = "Item", tags = "string[]", extra = "mixed" },
    },
}

local WITH_MORE = {
    {
        name = "Item", primary_key = "_id",
        properties = { _id = "int", text = "string", friend = "Item", tags = "string[]", extra = "mixed", more = "int?" },
    },
    { name = "Other", primary_key = "_id", properties = { _id = "string" } },
}

describe("open_async", function()
    local folder, server, realms

    local function start(options)
        options = options or {}
        options.port, options.storage, options.log = options.port or 0, folder .. "/server", { level = "off" }
        -- One segment in each message, so that there is a middle.
        options.max_download = options.max_download or 1
        server = assert(syncline.server.start(options))
    end

    local function stop()
        server:stop()
        assert(syncline.run(function() return server.stopped end, 10))
        server:close()
        server = nil
    end

    local function options(name, more)
        local out = {
            path = ("%s/%s.realm"):format(folder, name), schema = SCHEMA, timeout = 60,
            sync = {
                url = server:url(), token = server:token("default", "user-" .. name), partition = "shared",
                ca_file = server:ca_file(),
            },
        }
        for key, value in pairs(more or {}) do out[key] = value end
        return out
    end

    local function keep(realm)
        realms[#realms + 1] = realm
        return realm
    end

    local function write_items(realm, first, last)
        assert(realm:write(function()
            for k = first, last do
                realm:create("Item", { _id = k, text = auth.hex(auth.random(600)), tags = { "a", "b" }, extra = k / 2 })
            end
        end))
        assert(realm:sync_session():wait_for_upload(30))
    end

    local function fill(count)
        local realm = keep(assert(syncline.open(options("writer"))))
        write_items(realm, 1, count)
        return realm
    end

    local function cut()
        for peer in pairs(server.peers) do peer.socket:abort() end
    end

    -- What the file before was is gone, and nothing lies beside it.
    local function assert_tidy(name)
        for _, suffix in ipairs({ ".receiving", ".receiving-journal", ".receiving-wal" }) do
            assert.is_nil(io.open(("%s/%s.realm%s"):format(folder, name, suffix)))
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

    it("returns a realm with everything the server has, without its history", function()
        start()
        local writer = fill(2000)
        local steps, last_done, last_total = 0, 0, 0
        local realm = keep(assert(syncline.open_async(options("b", {
            on_progress = function(done, total)
                assert.is_true(done >= last_done and done <= total)
                steps, last_done, last_total = steps + 1, done, total
            end,
        }))))
        assert.equal(writer:state(), realm:state())
        assert.equal(last_total, last_done)
        assert.is_true(steps > 5)
        assert.equal(0, realm:info().downloaded_changesets)
        assert_tidy("b")
        -- Both ways it goes on from there.
        assert(realm:write(function() realm:object("Item", 1).text = "from b" end))
        assert(writer:write(function() writer:object("Item", 2).text = "from the writer" end))
        for _ = 1, 2 do
            for _, each in ipairs({ realm, writer }) do
                assert(each:sync_session():wait_for_upload(20))
                assert(each:sync_session():wait_for_download(20))
            end
        end
        assert.equal("from b", writer:object("Item", 1).text)
        assert.equal("from the writer", realm:object("Item", 2).text)
        assert.equal(writer:state(), realm:state())
        -- And opened again it is a file like any other.
        realm:close()
        realm = keep(assert(syncline.open_async(options("b"))))
        assert.equal(writer:state(), realm:state())
        assert.is_true(realm:sync_session():traffic().received < 10000)
    end)

    it("brings what was written since the state was made, and the program's own schema", function()
        start()
        local writer = fill(500)
        keep(assert(syncline.open_async(options("first"))))
        assert(writer:write(function() writer:object("Item", 7).text = "after the state" end))
        assert(writer:sync_session():wait_for_upload(20))
        local realm = keep(assert(syncline.open_async(options("second", { schema = WITH_MORE }))))
        assert.equal("after the state", realm:object("Item", 7).text)
        assert.equal(1, realm:info().downloaded_changesets)
        assert(realm:write(function()
            realm:create("Other", { _id = "x" })
            realm:object("Item", 7).more = 5
        end))
        assert(realm:sync_session():wait_for_upload(20))
        assert(writer:sync_session():wait_for_download(20))
        assert.equal(realm:state(), writer:state())
    end)

    it("goes on where it stood when the connection is cut", function()
        start()
        local writer, cuts, total = fill(2000), 0, nil
        local realm = keep(assert(syncline.open_async(options("b", {
            on_progress = function(done, all)
                total = all
                if cuts < 3 and done > all * (cuts + 1) / 5 and done < all then
                    cuts = cuts + 1
                    cut()
                end
            end,
        }))))
        assert.equal(3, cuts)
        assert.equal(writer:state(), realm:state())
        local received = realm:sync_session():traffic().received
        assert.is_true(received >= total and received < total * 1.1 + 5000)
        assert_tidy("b")
    end)

    it("goes on where it stood after a cancelled attempt, also with a server that was restarted", function()
        start()
        local writer, task, stood, total = fill(2000), nil, nil, nil
        local outcome
        task = syncline.open_async(options("b", {
            on_progress = function(done, all)
                if done > all / 2 and not stood then
                    stood, total = done, all
                    task:cancel()
                end
            end,
            on_done = function(realm, message, code) outcome = { realm, message, code } end,
        }))
        assert.is_true(task:running())
        assert(syncline.run(function() return outcome ~= nil end, 30))
        assert.same({ nil, "the opening was cancelled", "cancelled" }, outcome)
        assert.is_false(task:running())
        local port = server:port()
        writer:sync_session():pause()
        stop()
        start({ port = port })
        writer:sync_session():resume()
        local first
        local realm = keep(assert(syncline.open_async(options("b", {
            on_progress = function(done) first = first or done end,
        }))))
        assert.is_true(first > stood)
        assert.is_true(realm:sync_session():traffic().received < (total - stood) * 1.1 + 10000)
        assert.equal(writer:state(), realm:state())
    end)

    it("takes the history where there is no state to be had", function()
        for number, choice in ipairs({ { state_transfer = false }, { state_min_bytes = 1000000000 } }) do
            start(choice)
            local name = "writer" .. number
            local writer = keep(assert(syncline.open(options(name))))
            if number == 1 then write_items(writer, 1, 100) end
            assert(writer:sync_session():wait_for_download(20))
            local done, total
            local realm = keep(assert(syncline.open_async(options("b" .. number, {
                on_progress = function(d, t) done, total = d, t end,
            }))))
            assert.equal(writer:state(), realm:state())
            assert.is_true(realm:info().downloaded_changesets > 0)
            assert.is_true(done > 100000 and done == total)
            writer:close()
            realm:close()
            stop()
        end
    end)

    it("reports what goes wrong, and a task that nobody waits for holds nothing up", function()
        start()
        fill(10)
        local realm, message, code = syncline.open_async(options("b", { sync = {
            url = server:url(), token = "nonsense", partition = "shared", ca_file = server:ca_file(),
            on_error = function() end,
        } }))
        assert.is_nil(realm)
        assert.is_string(message)
        assert.is_not_nil(code)
        local url = server:url()
        local wanted = options("c", { timeout = 0.3, keep_trying = true })
        stop()
        wanted.sync.url = url
        realm, message, code = syncline.open_async(wanted)
        assert.is_nil(realm)
        assert.equal("timeout", code)
        assert.truthy(message:find("the time is up", 1, true))
        assert.has_error(function() syncline.open_async({ path = folder .. "/x" }) end)
        assert.has_error(function() syncline.open_async(setmetatable({ on_done = 1 }, { __index = wanted })) end)
    end)

    it("raises for a mistake in the schema as syncline.open does", function()
        start()
        fill(10)
        local bad = { { name = "Item", primary_key = "_id", properties = { _id = "int", text = "nonsense" } } }
        assert.has_error(function() syncline.open_async(options("b", { schema = bad })) end)
        local outcome
        syncline.open_async(options("c", { schema = bad, on_done = function(realm, message) outcome = { realm, message } end }))
        assert(syncline.run(function() return outcome ~= nil end, 20))
        assert.is_nil(outcome[1])
        assert.is_string(outcome[2])
    end)

    it("works for a realm in memory, by history", function()
        start()
        local writer = fill(50)
        local realm = keep(assert(syncline.open_async(options("m", { path = ":memory:" }))))
        assert.equal(writer:state(), realm:state())
    end)

    it("falls back to the history when the state is damaged on the server's disk", function()
        start()
        local writer = fill(2000)
        keep(assert(syncline.open_async(options("b"))))
        local path
        for _, entry in pairs(server.files.open_files) do path = entry.path .. ".state" end
        local file = assert(io.open(path, "r+b"))
        local size = file:seek("end")
        file:seek("set", math.floor(size / 2))
        file:write(("\170"):rep(300))
        file:close()
        local problems = {}
        local wanted = options("c")
        wanted.sync.on_error = function(problem) problems[#problems + 1] = problem.name end
        local realm = keep(assert(syncline.open_async(wanted)))
        assert.same({ "state not usable" }, problems)
        assert.equal(writer:state(), realm:state())
        assert.is_true(realm:info().downloaded_changesets > 0)
        assert_tidy("c")
    end)
end)
