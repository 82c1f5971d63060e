-- Care of a server's files through the whole module: histories are compacted, clients that stayed away
-- expire, and a file whose flush failed is opened again.
local admin = require("syncline.admin")
local core = require("syncline.core")
local files = require("syncline.server.files")
local process = require("support.process")
local syncline = require("syncline")

local SCHEMA = {
    {
        name = "Item", primary_key = "_id",
        properties = { { name = "_id", type = "int" }, { name = "text", type = "string?" }, { name = "n", type = "int" } },
    },
}

describe("the history of a server", function()
    local folder, server, realms, problems, resets

    local function start(options)
        local given = { port = 0, storage = folder .. "/server", log = { level = "off" } }
        for name, value in pairs(options or {}) do given[name] = value end
        server = assert(syncline.server.start(given))
    end

    local function stop()
        server:stop()
        assert(syncline.run(function() return server.stopped end, 10))
        server:close()
        server = nil
    end

    local function open(name)
        local realm = assert(syncline.open({
            path = ("%s/%s.realm"):format(folder, name), schema = SCHEMA,
            sync = {
                url = server:url(), token = server:token("default", "user-" .. name), partition = "shared",
                ca_file = server:ca_file(),
                client_reset = { mode = "recover", after = function() resets = resets + 1 end },
                on_error = function(problem) problems[#problems + 1] = problem end,
            },
        }))
        realms[#realms + 1] = realm
        return realm
    end

    local function settle(realm)
        assert(realm:sync_session():wait_for_upload(20))
        assert(realm:sync_session():wait_for_download(20))
    end

    local function server_file()
        local _, path = process.run("ls " .. folder .. "/server/apps/default/realms/*.realm")
        return (path:gsub("%s+$", ""))
    end

    local function sql(text)
        local status, out, problem = process.run(("sqlite3 %s %s"):format(server_file(), process.quote(text)))
        assert.equal(0, status, problem)
        return (out:gsub("%s+$", ""))
    end

    local function all_write(realm, first, last)
        for i = first, last do
            assert(realm:write(function()
                local item = realm:object("Item", 1)
                item.text = "text " .. i
                item.n = i
            end))
        end
    end

    -- A client tells with each upload what it has received by then.
    local function write_and_tell(realm, first, last)
        all_write(realm, first, last - 1)
        settle(realm)
        all_write(realm, last, last)
        settle(realm)
    end

    before_each(function()
        folder, realms, problems, resets = process.folder(), {}, {}, 0
    end)

    after_each(function()
        for _, realm in ipairs(realms) do realm:close() end
        if server then server:close() end
        process.remove_folder(folder)
    end)

    it("is compacted by command while clients are bound, and serves new ones", function()
        start()
        local a = open("a")
        assert(a:write(function() a:create("Item", { _id = 1, text = "begin" }) end))
        write_and_tell(a, 1, 200)
        assert(syncline.run(function() return server.files:compaction("default", '"shared"') ~= nil end, 10))
        local operator = server.admin.operations
        local list = assert(operator:compact({}))
        assert.equal(1, #list)
        assert.is_true(list[1].running)
        local report
        assert(syncline.run(function()
            report = operator:compaction({})[1]
            return report and not report.running
        end, 20))
        assert.is_true(report.limit > 195)
        assert.is_true(report.bytes_after < report.bytes_before / 10, report.bytes_after .. " of " .. report.bytes_before)
        all_write(a, 201, 203)
        local b = open("b")
        settle(a)
        settle(b)
        assert.equal("text 203", b:object("Item", 1).text)
        assert.equal(0, #problems)
        stop()
        local status, out = process.syncline("check " .. server_file())
        assert.equal(0, status, out)
    end)

    it("is compacted by command when no server runs", function()
        start()
        local a = open("a")
        assert(a:write(function() a:create("Item", { _id = 1 }) end))
        write_and_tell(a, 1, 60)
        a:close()
        stop()
        local command = "compact --storage " .. folder .. "/server"
        local status, out, problem = process.syncline(command)
        assert.equal(0, status, problem)
        assert.truthy(out:find('default "shared"', 1, true))
        assert.truthy(out:find("emptied", 1, true))
        assert.is_true(tonumber(sql("SELECT count(*) FROM _sl_history WHERE length(changeset) > 0")) < 10)
        status, out, problem = process.syncline("compact --app nobody --storage " .. folder .. "/server")
        assert.equal("", out)
        assert.equal(1, status)
        assert.truthy(problem:find("there is no app 'nobody'", 1, true))
        status = process.syncline("compact --client-ttl soon --storage " .. folder .. "/server")
        assert.equal(1, status)
    end)

    it("is not kept by realms that will never be synchronised, which are refused then", function()
        start()
        local path = folder .. "/local.realm"
        local realm = assert(syncline.open({ path = path, schema = SCHEMA, local_only = true }))
        for i = 1, 30 do assert(realm:write(function() realm:create("Item", { _id = i }) end)) end
        realm:close()
        local _, out = process.run("sqlite3 " .. path .. " 'SELECT count(*) FROM _sl_history'")
        assert.equal("0\n", out)
        local sync = { url = server:url(), token = server:token("default", "u"), partition = "p", ca_file = server:ca_file() }
        local refused, message, code = syncline.open({ path = path, sync = sync })
        assert.is_nil(refused)
        assert.equal("local_only", code)
        assert.truthy(message:find("without sync", 1, true))
        assert.has_error(function() syncline.open({ path = path, sync = sync, local_only = true }) end)
        realm = assert(syncline.open({ path = path }))
        assert.equal(30, realm:objects("Item"):count())
        realm:close()
        -- Without the option a realm may get sync later, and brings what it has.
        path = folder .. "/b.realm"
        realm = assert(syncline.open({ path = path, schema = SCHEMA }))
        assert(realm:write(function() realm:create("Item", { _id = 1, text = "from before" }) end))
        realm:close()
        settle(open("b"))
        local other = open("c")
        settle(other)
        assert.equal("from before", other:object("Item", 1).text)
        -- The server's own files know it, too.
        _, out = process.run("sqlite3 " .. folder .. "/server/users/default.realm 'SELECT count(*) FROM _sl_history'")
        assert.equal("0\n", out)
    end)

    it("does not wait for ever for a client that stays away, which resets and keeps what it has not sent", function()
        start()
        local a, b = open("a"), open("b")
        assert(a:write(function() a:create("Item", { _id = 1, text = "of a" }) end))
        settle(a)
        settle(b)
        b:sync_session():pause()
        assert(b:write(function() b:create("Item", { _id = 2, text = "never sent" }) end))
        b:close()
        write_and_tell(a, 1, 40)
        a:close()
        stop()
        sql("UPDATE _sl_client_files SET last_seen = 1 WHERE ident = (SELECT max(ident) FROM _sl_client_files)")
        local operator = assert(admin.open(folder .. "/server"))
        local list = assert(operator:compact({ client_ttl = "30d" }))
        operator:close()
        assert.equal(1, list[1].expired)
        assert.equal("0", sql("SELECT count(*) FROM _sl_reciprocal WHERE peer = (SELECT max(ident) FROM _sl_client_files)"))
        start()
        a, b = open("a"), open("b")
        assert(syncline.run(function() return resets == 1 end, 20))
        settle(b)
        settle(a)
        assert.equal("never sent", a:object("Item", 2).text)
        assert.equal("never sent", b:object("Item", 2).text)
        assert.equal("text 40", b:object("Item", 1).text)
    end)
end)

describe("the configuration of a server", function()
    local config = require("syncline.server.config")

    it("takes times in words", function()
        local checked = config.check({ client_ttl = "90d", compact_interval = "30m" })
        assert.equal(90 * 86400, checked.client_ttl)
        assert.equal(1800, checked.compact_interval)
        checked = config.check({ client_ttl = 3600, compact_interval = false })
        assert.equal(3600, checked.client_ttl)
        assert.is_false(checked.compact_interval)
        assert.is_nil(config.check({}).client_ttl)
        for _, wrong in ipairs({ "soon", "1w", 0, -1, 1.5, true, {} }) do
            local ok, message = pcall(config.check, { client_ttl = wrong })
            assert.is_false(ok)
            assert.truthy(message:find("client_ttl", 1, true) and message:find("30d", 1, true))
        end
    end)
end)

-- A loop that does what is due when it is told to.
local function fake_loop()
    local loop = { time = 0, timers = {} }
    function loop:now() return self.time end
    function loop:timer(seconds, action)
        local timer = { at = self.time + seconds, action = action }
        function timer.stop() timer.stopped = true end
        self.timers[#self.timers + 1] = timer
        return timer
    end
    function loop:pass(seconds)
        self.time = self.time + seconds
        local due = self.timers
        self.timers = {}
        for _, timer in ipairs(due) do
            if not timer.stopped and timer.at > self.time then
                self.timers[#self.timers + 1] = timer
            elseif not timer.stopped then
                timer.action()
            end
        end
    end
    return loop
end

describe("a file whose flush failed", function()
    local folder, real, opened, loop, list, logged

    -- Stands for the core's file: `fail` is what its next work and care fail with.
    local function fake_file(options)
        local file = { options = options, is_closed = false, waits = false }
        function file.work(self)
            if self.fail then return nil, "cannot flush", self.fail end
            self.waits = false
            return true
        end
        function file.care(self)
            if self.fail then return nil, "cannot flush", self.fail end
            return false
        end
        function file.rest() return 0 end
        function file.sessions() return 1 end
        function file.waiting(self) return self.waits end
        function file.caring() return false end
        function file.close(self) self.is_closed = true end
        opened[#opened + 1] = file
        return file
    end

    before_each(function()
        folder, opened, loop, logged = process.folder(), {}, fake_loop(), {}
        real, core.server.file = core.server.file, fake_file
        list = files.new({ directory = folder, loop = loop, log = function(level, text) logged[#logged + 1] = level .. ": " .. text end })
    end)

    after_each(function()
        core.server.file = real
        process.remove_folder(folder)
    end)

    local function upload(file)
        file.waits = true
        file.options.on_work()
    end

    it("is closed and opened again by the next client, and nothing of it is tried again", function()
        local file = list:open("app", "p")
        file.fail = "SYNC"
        upload(file)
        loop:pass(0.01)
        assert.is_true(file.is_closed)
        assert.equal(0, list:count())
        loop:pass(5)
        local again = list:open("app", "p")
        assert.is_true(again ~= file)
        assert.is_false(again.is_closed)
        upload(again)
        loop:pass(0.01)
        assert.is_false(again.waits)
        assert.truthy(table.concat(logged, "\n"):find("could not be flushed", 1, true))
    end)

    it("is noticed even if nobody writes", function()
        local file = list:open("app", "p")
        file.fail = "SYNC"
        list:sweep(15)
        assert.is_true(file.is_closed)
        assert.equal(0, list:count())
    end)

    it("stays open after other failures, and work is tried again", function()
        local file = list:open("app", "p")
        file.fail = "FULL"
        upload(file)
        loop:pass(0.01)
        list:sweep(15)
        assert.is_false(file.is_closed)
        file.fail = nil
        loop:pass(2)
        assert.is_false(file.waits)
    end)
end)
