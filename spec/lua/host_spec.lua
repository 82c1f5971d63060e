-- What a program shares with others: a file that another one writes, and a host that says when it listens.
local process = require("support.process")
local syncline = require("syncline")

local SCHEMA = { { name = "Task", primary_key = "_id", properties = { _id = "int", name = "string" } } }

local function add(realm, id)
    assert(realm:write(function() realm:create("Task", { _id = id, name = "task " .. id }) end))
end

describe("a realm that is read_only", function()
    local folder, path, writer
    before_each(function()
        folder = process.folder()
        path = folder .. "/tasks.realm"
        writer = assert(syncline.open({ path = path, schema = SCHEMA }))
        add(writer, 1)
    end)
    after_each(function()
        writer:close()
        process.remove_folder(folder)
    end)

    it("shows a file that another program has open, as it was, and as it is when asked", function()
        local reader = assert(syncline.open({ path = path, read_only = true }))
        add(writer, 2)
        assert.equal(1, reader:objects("Task"):count())
        assert.is_nil(reader:object("Task", 2))
        local told
        reader:objects("Task"):observe(function(tasks) told = tasks:count() end)
        assert(writer:update_schema({ { name = "Note", properties = { text = "string" } } }))
        assert.is_true(reader:refresh())
        assert.equal("task 2", reader:object("Task", 2).name)
        assert.equal(2, reader:objects("Task"):count())
        assert.equal(2, told)
        assert.equal(0, reader:objects("Note"):count())
        add(writer, 3)
        reader:close()
        assert.equal(3, writer:objects("Task"):count())
    end)

    it("changes nothing, and says so", function()
        local size = #process.read_file(path)
        local reader = assert(syncline.open({ path = path, read_only = true }))
        assert.has_error(function() add(reader, 2) end)
        local ok, message = pcall(function() reader:write(function() end) end)
        assert.is_false(ok)
        assert.matches("host_spec.lua:%d+: realm:write: this realm was opened with read_only = true", message)
        assert.is_false(pcall(function() reader:object("Task", 1).name = "x" end))
        for name, value in pairs({ sync = {}, schema = SCHEMA, local_only = true }) do
            ok, message = pcall(syncline.open, { path = path, read_only = true, [name] = value })
            assert.is_false(ok)
            assert.matches("read_only takes no '" .. name .. "'", message)
        end
        assert.is_false(pcall(syncline.open, { read_only = true }))
        local none, _, code = syncline.open({ path = folder .. "/none", read_only = true })
        assert.is_nil(none)
        assert.equal("MISSING", code)
        reader:close()
        assert.equal(size, #process.read_file(path))
        none, message, code = syncline.open(path)
        assert.is_nil(none)
        assert.equal("LOCKED", code)
        assert.matches("read_only = true", message)
    end)
end)

describe("a host", function()
    it("says when observers are called", function()
        local waiting, heard = {}, {}
        local realm = assert(syncline.open({ schema = SCHEMA, dispatch = function(fn) waiting[#waiting + 1] = fn end }))
        local function host()
            local now = waiting
            waiting = {}
            for _, fn in ipairs(now) do fn() end
        end
        realm:observe(function(_, changes) heard[#heard + 1] = #changes.Task.inserted end)
        realm:objects("Task"):observe(function(tasks) heard[#heard + 1] = "count " .. tasks:count() end)
        add(realm, 1)
        add(realm, 2)
        assert.same({}, heard)
        host()
        table.sort(heard, function(a, b) return tostring(a) < tostring(b) end)
        assert.same({ 1, 1, "count 2" }, heard)
        add(realm, 3)
        realm:close()
        host()
        assert.equal(3, #heard)
    end)
end)
