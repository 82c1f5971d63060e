-- results:filtered: the query language of the Realm SDKs in Lua.
local syncline = require("syncline")

local SCHEMA = {
    { name = "Person", primary_key = "_id", properties = { _id = "int", name = "string?" } },
    {
        name = "Task", primary_key = "_id",
        properties = {
            _id = "int", done = "bool", priority = "int", owner = "Person", tags = "string[]", class = "string?",
            seen = "timestamp?",
        },
    },
}

describe("results:filtered", function()
    local realm, tasks

    before_each(function()
        realm = assert(syncline.open{ schema = SCHEMA })
        assert(realm:write(function()
            local ann = realm:create("Person", { _id = 1, name = "Ann" })
            local bob = realm:create("Person", { _id = 2, name = "bob" })
            for i = 1, 10 do
                realm:create("Task", {
                    _id = i, done = i % 2 == 0, priority = i % 4, owner = i < 6 and ann or bob, tags = { "t" .. i, "all" },
                    class = i == 3 and "c" or nil,
                })
            end
        end))
        tasks = realm:objects("Task")
    end)
    after_each(function() realm:close() end)

    local function ids(results)
        local out = {}
        for _, task in results:iter() do out[#out + 1] = task._id end
        return table.concat(out, " ")
    end

    it("takes arguments, paths over links, [c] and SORT", function()
        assert.equal("3 1 5", ids(tasks:filtered(
            "done == $0 AND owner.name BEGINSWITH[c] $1 SORT(priority DESC, _id ASC)", false, "a")))
        assert.equal("1 2 10", ids(tasks:filtered("_id IN $0 AND ANY tags LIKE 't*'", { 1, 2, 10 }):sorted("_id")))
        assert.equal("3", ids(tasks:filtered("class != $0", nil)))
        assert.equal("3", ids(tasks:filtered("class != $0", syncline.null)))
        assert.equal("7", ids(tasks:filtered("owner == $0 AND priority == 3", realm:object("Person", 2))))
    end)

    it("goes on from other results and they from it", function()
        local high = tasks:where{ priority = { ">=", 2 } }:filtered("owner.name == 'bob'")
        assert.equal("6 7 10", ids(high:sorted("_id")))
        assert.equal(3, high:count())
        assert.equal("7", ids(high:filter(function(task) return task._id == 7 end)))
        assert.equal(7, high:sum("priority"))
    end)

    it("is asked again after writes, also after the schema changed", function()
        local open = tasks:filtered("done == false")
        assert.equal(5, open:count())
        realm:write(function() realm:object("Task", 1).done = true end)
        assert.equal(4, open:count())
    end)

    it("is observed like other results", function()
        local open, heard = tasks:filtered("owner.name == 'Ann' AND done == false"), {}
        open:observe(function(_, changes)
            heard[#heard + 1] = ("+%d -%d"):format(#changes.insertions, #changes.deletions)
        end)
        realm:write(function() realm:object("Task", 1).done = true end)
        realm:write(function() realm:object("Task", 2).done = false end)
        assert.same({ "+0 -0", "+0 -1", "+1 -0" }, heard)
    end)

    it("says what is wrong with a query, where, and at which line of the program", function()
        local function refused(text, ...)
            local args, count = { ... }, select("#", ...)
            local ok, message = pcall(function() return tasks:filtered(text, (table.unpack or unpack)(args, 1, count)) end)
            assert.is_false(ok)
            return message
        end
        assert.matches("^spec/lua/filtered_spec.lua:%d+: the query ends where a property or a value was expected %(at byte 7%)",
            refused("done = "))
        assert.matches("class Task has no property 'dine'", refused("dine = true"))
        assert.matches("%$1: there is 1 argument", refused("priority == $1", 1))
        assert.matches("LIMIT", refused("done == true LIMIT(2)"))
        assert.matches("results:filtered", (select(2, pcall(tasks.filtered, tasks, 7))))
    end)
end)
