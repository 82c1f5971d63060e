-- syncline.core.client: connection and session userdata, driven by hand, without sockets.
local core = require("syncline.core")

local function item_schema()
    return {
        { name = "Item", primary_key = "_id", properties = { { name = "_id", type = "int" }, { name = "n", type = "int" } } },
    }
end

describe("core.client", function()
    local realm, connection, session, seen

    local function drain()
        while true do
            local event = connection:next_event()
            if not event then return end
            seen[event.type] = event
            seen[#seen + 1] = event
        end
    end

    local function give(message)
        assert(connection:receive(seen.connect.attempt, message))
        drain()
    end

    before_each(function()
        seen = {}
        realm = assert(core.realm.open({ path = ":memory:" }))
        connection = assert(core.client.connection({ route = "/realm-sync", token = "t0" }))
        session = assert(connection:session(realm, { path = '"p"', upload_delay = false }))
        drain()
    end)

    after_each(function()
        connection:close()
        realm:close()
    end)

    it("asks for a socket with target and offer", function()
        assert.equal("/realm-sync?baas_at=t0", seen.connect.target)
        assert.truthy(seen.connect.offer:find("com.mongodb.realm-sync#14, ", 1, true))
        assert.equal("connecting", connection:state())
        assert.is_nil(connection:version())
        assert.is_number(connection:timeout())
    end)

    it("speaks the first conversation and reports states", function()
        assert(connection:opened(seen.connect.attempt, "com.mongodb.realm-sync#14"))
        assert.equal(14, connection:version())
        assert.equal('bind 1 3 0 1 0\n"p"', connection:send())
        give("ident 1 2 77\n")
        assert.equal("ident 1 2 77 0 0 0 0\n", connection:send())
        assert.is_false(connection:send())
        assert.equal("active", session:state())
        local request = assert(session:wait_download())
        assert.equal("mark 1 1\n", connection:send())
        give("download 1 0 0 0 0 0 0 0 0 0 0\n")
        give("mark 1 1\n")
        assert.equal(request, seen.wait_done.request)
        assert.is_true(seen.wait_done.ok)
    end)

    it("reports errors of the server in full", function()
        assert(connection:opened(seen.connect.attempt, "com.mongodb.realm-sync#14"))
        connection:send()
        local json = '{"action":"ApplicationBug","isRecoveryModeDisabled":false,"logURL":"","message":"no",'
            .. '"shouldClientReset":false,"tryAgain":false}'
        give("json_error 206 " .. #json .. " 1\n" .. json)
        local err = seen.error.error
        assert.equal(206, err.code)
        assert.equal("ApplicationBug", err.action)
        assert.equal("no", err.message)
        assert.equal("session", err.class)
        assert.equal(json, err.json)
        assert.is_false(err.try_again)
        assert.truthy(#err.advice > 0)
        assert.equal("inactive", session:state())
        assert.equal("unbind 1\n", connection:send())
    end)

    it("lets go of a realm that is closed", function()
        realm:close()
        assert.equal("closed", session:state())
        assert.has_error(function() session:wait_upload() end)
        drain()
    end)

    it("outlives the connection", function()
        connection:close()
        assert.equal("closed", session:state())
        session:close()
        local again = assert(core.client.connection({}))
        assert(again:session(realm, { path = '"p"' }))
        again:close()
    end)

    it("refuses a second session for a realm, and nonsense", function()
        assert.has_error(function() connection:session(realm, { path = '"p"' }) end)
        local other = assert(core.realm.open({ path = ":memory:" }))
        assert.has_error(function() connection:session(other, { path = "" }) end)
        assert.has_error(function() connection:lost(1, "gone") end)
        assert.has_error(function() core.client.connection({ linger = -1 }) end)
        other:close()
    end)

    it("resets a realm from a fresh copy", function()
        local fresh = assert(core.realm.open({ path = ":memory:" }))
        assert.has_error(function() core.client.reset(realm, realm) end)
        assert.has_error(function() core.client.reset(realm, fresh) end) -- never synchronised
        local copy = assert(core.client.connection({ route = "/r" }))
        local download = assert(copy:session(fresh, { path = '"p"', upload = false }))
        local attempt
        for event in function() return copy:next_event() end do attempt = event.attempt or attempt end
        assert(copy:opened(attempt, "com.mongodb.realm-sync#14"))
        copy:send()
        assert(copy:receive(attempt, "ident 1 9 5\n"))
        copy:send()
        assert(copy:receive(attempt, "download 1 3 0 3 8 0 0 0 0 12 0\n3 0 1 4 0 0 "))
        assert.has_error(function() core.client.reset(realm, fresh) end) -- its session lives
        download:close()
        copy:close()
        assert(realm:begin())
        realm:apply_schema(item_schema())
        assert(realm:commit())
        local result = assert(core.client.reset(realm, fresh, { mode = "recover" }))
        assert.same({ recovered = true, candidates = 1, kept = 1, dropped = 0, taken = 0 }, result)
        assert.equal("recover", core.client.reset_pending(realm))
        assert.equal(9, realm:info().client_file_ident)
        local again, message, code = core.client.reset(realm, fresh, { mode = "recover" })
        assert.is_nil(again)
        assert.is_string(message)
        assert.equal("LOOP", code)
        assert(core.client.reset_finish(realm))
        assert.is_nil(core.client.reset_pending(realm))
        fresh:close()
    end)

    it("uploads what was written", function()
        assert(connection:opened(seen.connect.attempt, "com.mongodb.realm-sync#14"))
        connection:send()
        give("ident 1 2 77\n")
        connection:send()
        assert(realm:begin())
        realm:apply_schema(item_schema())
        assert(realm:commit())
        local upload = connection:send()
        assert.truthy(upload:find("^upload 1 0 %d+ 0 3 0 0\n3 0 %d+ 0 %d+ "))
        give("download 1 1 3 1 9 3 0 0 0 0 0\n")
        assert.equal(1, seen.progress.uploaded_changesets)
    end)
end)
