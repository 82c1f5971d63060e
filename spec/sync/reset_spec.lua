-- Client reset through the whole module: a server that is put back to an older copy of its files.
local process = require("support.process")
local syncline = require("syncline")

local SCHEMA = {
    {
        name = "Item", primary_key = "_id",
        properties = {
            { name = "_id", type = "int" }, { name = "text", type = "string?" }, { name = "tags", type = "string[]" },
        },
    },
}

describe("client reset", function()
    local folder, server, realms, problems

    local function start()
        server = assert(syncline.server.start({ port = 0, storage = folder .. "/server", log = { level = "off" } }))
    end

    local function stop()
        server:stop()
        assert(syncline.run(function() return server.stopped end, 10))
        server:close()
        server = nil
    end

    local function shell(command)
        local ok = os.execute(command)
        assert(ok == true or ok == 0, command)
    end

    local function open(name, client_reset, more)
        local sync = {
            url = server:url(), token = server:token("default", "user-" .. name), partition = "shared",
            ca_file = server:ca_file(), client_reset = client_reset,
            on_error = function(problem) problems[#problems + 1] = problem end,
        }
        for option, value in pairs(more or {}) do sync[option] = value end
        local realm = assert(syncline.open({
            path = ("%s/%s.realm"):format(folder, name), schema = SCHEMA, sync = sync,
        }))
        realms[#realms + 1] = realm
        return realm
    end

    local function settle(realm)
        assert(realm:sync_session():wait_for_upload(20))
        assert(realm:sync_session():wait_for_download(20))
    end

    -- One item that the server keeps and one that it forgets; then a change that it never saw. The
    -- server is back, without the second, when this returns.
    local function prepare(client_reset)
        start()
        local realm = open("a", client_reset)
        assert(realm:write(function() realm:create("Item", { _id = 1, text = "kept", tags = { "old" } }) end))
        settle(realm)
        local tls = folder .. "/server"
        realm:close()
        stop()
        shell(("cp -a '%s' '%s.backup'"):format(tls, tls))
        start()
        realm = open("a", client_reset)
        assert(realm:write(function() realm:create("Item", { _id = 2, text = "forgotten" }) end))
        settle(realm)
        realm:close()
        stop()
        shell(("rm -r '%s' && mv '%s.backup' '%s'"):format(tls, tls, tls))
        start()
        realm = assert(syncline.open({ path = folder .. "/a.realm" }))
        assert(realm:write(function()
            realm:create("Item", { _id = 3, text = "mine" })
            realm:object("Item", 1).tags:insert("new")
        end))
        realm:close()
        return open("a", client_reset)
    end

    local function other_client(name)
        local other = open(name or "b")
        settle(other)
        return other
    end

    before_each(function()
        folder, realms, problems = process.folder(), {}, {}
    end)

    after_each(function()
        for _, realm in ipairs(realms) do realm:close() end
        if server then stop() end
        process.remove_folder(folder)
    end)

    it("recovers what the server never saw, by itself", function()
        local calls = {}
        local realm = prepare({
            before = function(r) calls.before = r:object("Item", 2).text end,
            after = function(r, result) calls.after, calls.result = r:object("Item", 2), result end,
        })
        settle(realm)
        assert.equal(1, #problems)
        assert.equal("changes discarded", problems[1].name)
        local copy = assert(syncline.open({ path = problems[1].copy }))
        assert.equal("forgotten", copy:object("Item", 2).text)
        copy:close()
        assert.equal("forgotten", calls.before)
        assert.is_nil(calls.after)
        assert.is_true(calls.result.recovered)
        assert.equal("mine", realm:object("Item", 3).text)
        assert.is_nil(realm:object("Item", 2))
        assert.equal(2, #realm:object("Item", 1).tags)
        assert.equal("active", realm:sync_session():state())
        assert.equal(realm:state(), other_client():state())
        assert.is_nil(io.open(folder .. "/a.realm.fresh"))
    end)

    it("discards when told so, says so, and keeps a copy", function()
        local realm = prepare("discard")
        settle(realm)
        assert.equal(1, #problems)
        assert.equal("changes discarded", problems[1].name)
        local copy = assert(syncline.open({ path = problems[1].copy }))
        assert.equal("mine", copy:object("Item", 3).text)
        assert.equal(2, #copy:object("Item", 1).tags)
        copy:close()
        assert.truthy(problems[1].copy:find("a.realm.discarded-", 1, true))
        assert.is_nil(realm:object("Item", 3))
        assert.equal(1, #realm:object("Item", 1).tags)
        assert.equal(realm:state(), other_client():state())
        -- And it goes on, also in a second reset later on.
        assert(realm:write(function() realm:create("Item", { _id = 9, text = "later" }) end))
        settle(realm)
        assert.equal("later", other_client("c"):object("Item", 9).text)
    end)

    -- The server comes up with nothing; another device has written already.
    local function lose_everything()
        start()
        local realm = open("a")
        assert(realm:write(function() for key = 1, 5 do realm:create("Item", { _id = key, text = "kept" }) end end))
        settle(realm)
        realm:close()
        stop()
        shell(("find '%s/server' -mindepth 1 -maxdepth 1 ! -name tls ! -name keys -exec rm -r {} +"):format(folder))
        start()
        local other = other_client("new")
        assert(other:write(function() other:create("Item", { _id = 100, text = "newcomer" }) end))
        settle(other)
    end

    it("does not believe a server that lost everything", function()
        lose_everything()
        for _, mode in ipairs({ "recover", "discard", "recover_or_discard" }) do
            problems = {}
            local realm = open("a", mode)
            local ok, message = realm:sync_session():wait_for_download(20)
            assert.is_nil(ok)
            assert.truthy(message:find("5 of the 5 objects", 1, true))
            assert.equal("server lost", problems[1].name)
            assert.is_true(problems[1].server_lost)
            assert.equal(5, realm:objects("Item"):count())
            realm:close()
        end
    end)

    it("takes an empty server over when the program says so, and keeps a copy", function()
        lose_everything()
        local asked, discarded
        local realm = open("a", nil, {
            on_server_lost = function(problem) asked = problem; return "accept" end,
            on_discard = function(problem) discarded = problem end,
        })
        settle(realm)
        assert.equal(5, asked.missing)
        assert.equal(1, realm:objects("Item"):count())
        local copy = assert(syncline.open({ path = discarded.copy }))
        assert.equal(5, copy:objects("Item"):count())
        copy:close()
        assert.same({}, problems)
    end)

    it("recovers from a second restored backup before the first reset has ended", function()
        for _, mode in ipairs({ false, "recover", "recover_or_discard" }) do
            process.remove_folder(folder)
            folder, problems = process.folder(), {}
            local realm = prepare(mode or nil)
            shell(("cp -a '%s/server' '%s/again'"):format(folder, folder))
            assert(syncline.run(function() return realm:object("Item", 2) == nil end, 20))
            realm:close()
            stop()
            shell(("rm -r '%s/server' && mv '%s/again' '%s/server'"):format(folder, folder, folder))
            start()
            realm = open("a", mode or nil)
            settle(realm)
            assert.equal(1, #problems)
            assert.equal(0, problems[1].result.dropped)
            assert.equal("mine", realm:object("Item", 3).text)
            assert.equal(2, #realm:object("Item", 1).tags)
            realm:close()
            stop()
        end
        start()
    end)

    it("leaves everything alone in manual mode", function()
        local realm = prepare("manual")
        local ok, _, code = realm:sync_session():wait_for_upload(20)
        assert.is_nil(ok)
        assert.is_number(code)
        assert.is_true(problems[1].client_reset)
        assert.equal("mine", realm:object("Item", 3).text)
        assert.equal("forgotten", realm:object("Item", 2).text)
        assert.equal("inactive", realm:sync_session():state())
    end)

    it("gives up when the program's preparation fails", function()
        local realm = prepare({ mode = "recover", before = function() error("no space for a copy") end })
        local ok, message = realm:sync_session():wait_for_upload(20)
        assert.is_nil(ok)
        assert.truthy(message:find("no space for a copy", 1, true))
        assert.equal("mine", realm:object("Item", 3).text)
    end)

    it("through the command: names the copy of what was discarded and exits with 1", function()
        local realm = prepare("manual")
        realm:close()
        -- The server runs in this process, so the command runs beside it.
        local config, log = folder .. "/config.lua", folder .. "/log"
        process.write_file(config, ("return { path = %q, sync = { url = %q, partition = 'shared', token = %q, ca_file = %q, " ..
            "client_reset = 'discard' } }"):format(folder .. "/a.realm", server:url(), server:token("default", "user-a"),
            server:ca_file()))
        shell(("(bin/syncline client --config '%s' >'%s' 2>&1; echo $? >'%s.part'; mv '%s.part' '%s.status') &"):format(
            config, log, log, log, log))
        assert(syncline.run(function()
            local file = io.open(log .. ".status")
            return file and file:close()
        end, 30))
        assert.equal("1\n", process.read_file(log .. ".status"))
        local name = assert(process.read_file(log):match("'([^']*a%.realm%.discarded%-[^']*)'"))
        local copy = assert(syncline.open({ path = name }))
        assert.equal("mine", copy:object("Item", 3).text)
        copy:close()
    end)

    it("leaves no file locked when an option of sync is wrong", function()
        start()
        for _, wrong in ipairs({ { client_reset = "sometimes" }, { partitoin = "x" }, { max_message = 5 } }) do
            assert.has_error(function() open("locked", nil, wrong) end)
            assert(syncline.open({ path = folder .. "/locked.realm" })):close()
        end
    end)

    it("refuses nonsense", function()
        start()
        assert.has_error(function() open("x", "sometimes") end)
        assert.has_error(function() open("y", { before = 5 }) end)
    end)
end)
