-- What a program hears that has made a mistake: the name that was wrong, the nearest one, and its own line.
local syncline = require("syncline")

-- The message, and the line in this file of the function that raised it.
local function mistake(fn)
    local ok, message = pcall(fn)
    assert.is_false(ok)
    local line, text = tostring(message):match("mistake_spec%.lua:(%d+): (.*)$")
    assert(line, "no line of this file: " .. tostring(message))
    local first, last = debug.getinfo(fn, "S").linedefined, debug.getinfo(fn, "S").lastlinedefined
    assert.is_true(tonumber(line) >= first and tonumber(line) <= last)
    return text
end

local SCHEMA = { { name = "Task", primary_key = "_id", properties = { _id = "int", name = "string", tags = "string[]" } } }

describe("a mistake in a program", function()
    local realm, task
    before_each(function()
        realm = assert(syncline.open({ schema = SCHEMA }))
        realm:write(function() task = realm:create("Task", { _id = 1, name = "x" }) end)
    end)
    after_each(function() realm:close() end)

    it("is named with the property that was meant", function()
        local want = "Task has no property 'nmae'; did you mean 'name'?"
        assert.equal(want, mistake(function() return task.nmae end))
        assert.equal(want, mistake(function() realm:write(function() task.nmae = "y" end) end))
        assert.equal(want, mistake(function() realm:write(function() realm:create("Task", { _id = 2, nmae = "y" }) end) end))
        assert.equal(want, mistake(function() realm:objects("Task"):sorted("nmae") end))
        assert.matches("no such property; did you mean 'name'%?", mistake(function() realm:objects("Task"):where({ nmae = 1 }) end))
        assert.equal("Task has no property 'altogether'", mistake(function() return task.altogether end))
    end)

    it("is named with the class that was meant", function()
        local want = "there is no class 'Tsak'; did you mean 'Task'?"
        assert.equal(want, mistake(function() realm:objects("Tsak") end))
        assert.equal(want, mistake(function() realm:object("Tsak", 1) end))
        assert.equal(want, mistake(function() realm:write(function() realm:create("Tsak") end) end))
        assert.equal(want, mistake(function() realm:write(function() realm:delete_all("Tsak") end) end))
        assert.matches("class B.*'taks'; did you mean 'Task'%?", mistake(function()
            realm:update_schema({ SCHEMA[1], { name = "B", properties = { a = "taks" } } })
        end))
    end)

    it("is told where a method is called without its colon, without its argument or by a wrong name", function()
        local cases = {
            { "realm:objects: a realm expected; call it with a colon", function() realm.objects("Task") end },
            { "realm:objects: a string expected, got nothing", function() realm:objects() end },
            { "realm:write: a function expected, got nothing", function() realm:write() end },
            { "realm:write: a realm expected; call it with a colon", function() realm.write(print) end },
            { "realm:delete: an object or a table expected, got nothing", function() realm:delete(nil) end },
            { "a list has no 'insret'; did you mean 'insert'%?", function() task.tags:insret("a") end },
            { "there is no position 5: the list has %d element", function() realm:write(function() task.tags[5] = "a" end) end },
            { "results:count takes no argument", function() realm:objects("Task"):count("name") end },
            { "syncline.step, the timeout in seconds", function() syncline.step("x") end },
        }
        for _, case in ipairs(cases) do assert.matches(case[1], mistake(case[2])) end
    end)

    it("in 'sync' leaves no file locked", function()
        local path = os.tmpname()
        os.remove(path)
        for _ = 1, 2 do
            assert.matches("partitoin", mistake(function() syncline.open({ path = path, schema = SCHEMA, sync = { partitoin = 1 } }) end))
        end
        local again = assert(syncline.open({ path = path }))
        again:close()
        assert.matches("the realm is closed", mistake(function() again:objects("Task"):count() end))
        for _, ending in ipairs({ "", ".lock", "-wal", "-shm" }) do os.remove(path .. ending) end
    end)

    it("says where things can be changed", function()
        assert.matches("inside realm:write", mistake(function() task.name = "y" end))
        assert.matches("inside realm:write", mistake(function() realm:create("Task", { _id = 3 }) end))
        assert.matches("inside realm:write", mistake(function() realm:delete(task) end))
        assert.matches("inside realm:write", mistake(function() task.tags:insert(1, "a") end))
        assert.matches("inside realm:write", mistake(function() realm:cancel() end))
    end)

    it("in a table of options is named with the option that was meant", function()
        local sync = require("syncline.sim")
        local cases = {
            { "schem.*'schema'", function() syncline.open({ schem = SCHEMA }) end },
            { "'partition'; write sync", function() syncline.open({ partition = "a" }) end },
            { "'sync': a table expected, got a string", function() syncline.open({ sync = "wss://localhost" }) end },
            { "partitoin.*'partition'", function() syncline.open({ sync = { url = "wss://localhost:1", partitoin = "a" } }) end },
            { "tls: unknown option 'ca_file'; write ca =", function()
                syncline.open({ sync = { url = "wss://localhost:1", partition = "a", tls = { ca_file = "a" } } })
            end },
            { "client_reset.*'recovr'.*'recover'", function()
                syncline.open({ sync = { url = "wss://localhost:1", partition = "a", client_reset = "recovr" } })
            end },
            { "befor.*'before'", function()
                syncline.open({ sync = { url = "wss://localhost:1", partition = "a", client_reset = { befor = print } } })
            end },
            { "on_progres'.*'on_progress'", function() syncline.open_async({ on_progres = print }) end },
            { "base_ulr.*'base_url'", function() syncline.app({ id = "a", base_ulr = "https://localhost:1" }) end },
            { "ca_file.*write tls", function() syncline.app({ id = "a", base_url = "https://localhost:1", ca_file = "x" }) end },
            { "timeot.*'timeout'", function() realm:transact(function() end, { timeot = 1 }) end },
            { "'sead'.*'seed'", function() sync.new({ sead = 1 }) end },
            { "'prot'.*'port'", function() syncline.server.start({ prot = 1 }) end },
            { "apps.a: .*'anonymos'.*'anonymous'", function() syncline.server.start({ apps = { a = { anonymos = true } } }) end },
            { "apps.a.email: .*'discrete'.*'discreet'", function()
                syncline.server.start({ apps = { a = { email = { discrete = true } } } })
            end },
            { "tls: .*'crt'.*'cert'", function() syncline.server.start({ tls = { crt = "x" } }) end },
            { "'levle'.*'level'", function() syncline.server.start({ storage = os.tmpname(), log = { levle = "off" } }) end },
            { "'prmary_key'.*'primary_key'", function() realm:update_schema({ { name = "B", prmary_key = "a", properties = {} } }) end },
            { "'frmat'.*'format'", function() syncline.changeset.print("", { frmat = "text" }) end },
            { "'indx'.*'index'", function() syncline.transform.merge({}, {}, { indx = false }) end },
            { "'secrt'.*'secret'", function() syncline.auth.key({ alg = "HS256", secrt = "x" }) end },
        }
        for _, case in ipairs(cases) do assert.matches(case[1], mistake(case[2])) end
    end)

    it("names the line also through our own functions and a coroutine of the program", function()
        local line
        local run = coroutine.wrap(function()
            local ok, message = pcall(function()
                line = debug.getinfo(1, "l").currentline + 1
                realm:write(function() task.tags = 4 end)
            end)
            return not ok and message
        end)
        local message = run()
        assert.matches(("mistake_spec%%.lua:%d: "):format(line), message)
    end)
end)
