-- Observed results: who keeps a copy of the results and does to it what the changes say has the results.
local process = require("support.process")
local syncline = require("syncline")
local simulation = require("syncline.sim")
local positions = require("syncline.positions")

local null = syncline.null

local SCHEMA = {
    { name = "Task", primary_key = "_id", properties = {
        _id = "int", title = "string", rank = "int?", done = { type = "bool" }, list = "List", any = "mixed" } },
    { name = "List", primary_key = "_id", properties = { _id = "string", name = "string" } },
    { name = "Note", properties = { text = "string" } },
}

-- Does to `copy` (titles or keys) what `changes` says; `value(i)` is what is at a position now.
local function apply(copy, changes, value)
    for i, at in ipairs(changes.modifications) do assert.is_not_nil(copy[changes.old_modifications[i]], at) end
    for i = #changes.deletions, 1, -1 do table.remove(copy, changes.deletions[i]) end
    for _, at in ipairs(changes.insertions) do table.insert(copy, at, value(at)) end
    for _, at in ipairs(changes.modifications) do copy[at] = value(at) end
end

local function show(object)
    return ("%s %s %s"):format(tostring(object._id), object.title, tostring(object.rank))
end

-- Observes and checks the copy after every call. Returns what was heard.
local function mirror(results)
    local heard = { calls = {} }
    heard.observer = results:observe(function(found, changes)
        heard.calls[#heard.calls + 1] = changes
        if #heard.calls == 1 then
            heard.copy = {}
            for i, object in found:iter() do heard.copy[i] = show(object) end
            assert.same(positions.none(), changes)
            return
        end
        apply(heard.copy, changes, function(at) return show(found:at(at)) end)
        local wanted = {}
        for i, object in found:iter() do wanted[i] = show(object) end
        heard.bad = heard.bad or (table.concat(wanted, "\n") ~= table.concat(heard.copy, "\n") and
            ("copy:\n%s\nresults:\n%s"):format(table.concat(heard.copy, "\n"), table.concat(wanted, "\n"))) or nil
    end)
    return heard
end

-- The same numbers on every Lua.
local function generator(seed)
    local state = seed
    return function(n)
        state = (state * 16807) % 2147483647
        return state % n + 1
    end
end

local function random_step(realm, random)
    local id = random(30)
    local task = realm:object("Task", id)
    local choice = random(10)
    if not task then
        local list = realm:object("List", "l" .. random(3))
        realm:create("Task", { _id = id, title = "t" .. random(20), rank = random(5), done = random(2) == 1, list = list })
    elseif choice <= 2 then realm:delete(task)
    elseif choice <= 5 then task.rank = random(4) > 1 and random(6) or null
    elseif choice == 6 then task.done = not task.done
    elseif choice == 7 then task.list = realm:object("List", "l" .. random(3))
    elseif choice == 8 then task.any = realm:object("List", "l" .. random(3))
    elseif choice == 9 then
        local list = realm:object("List", "l" .. random(3))
        if list then realm:delete(list) else realm:create("List", { _id = "l" .. random(3), name = "n" .. random(3) }, "all") end
    else task.title = "t" .. random(20) end
end

local function questions(realm)
    local tasks = realm:objects("Task")
    local list = syncline.link("List", "l1")
    return {
        tasks,
        tasks:where({ done = true }),
        tasks:where({ rank = { ">", 2 } }):sorted("rank", true),
        tasks:sorted("title"):sorted("rank"),
        tasks:where({ list = null }),
        tasks:where({ list = list }):sorted("title", true),
        tasks:where({ any = { "~=", null } }),
        tasks:filter(function(task) return (task.rank or 0) % 2 == 0 end),
        tasks:filter(function(task) return task.list and task.list.name ~= "n1" end):sorted("rank"),
        tasks:sorted(function(a, b) return #a.title < #b.title end),
        tasks:filter(function(task) return task.done end):sorted(function(a, b) return a.title > b.title end):sorted("rank"),
        tasks:sorted("_id", true),
    }
end

local function program(path, seed, rounds)
    local realm = assert(syncline.open({ path = path, schema = SCHEMA }))
    realm.on_observer_error = function(message) error(message, 0) end
    local random, heard = generator(seed), {}
    for i = 1, 3 do assert(realm:write(function() realm:create("List", { _id = "l" .. i, name = "n" .. i }) end)) end
    for i, results in ipairs(questions(realm)) do heard[i] = mirror(results) end
    for _ = 1, rounds do
        local fine, problem = pcall(realm.write, realm, function()
            for _ = 1, random(6) do random_step(realm, random) end
            if random(8) == 1 then error("no") end
        end)
        if not fine and not tostring(problem):find("no$") then error(problem, 0) end
        for i, one in ipairs(heard) do
            assert.is_nil(one.bad, ("seed %d, question %d: %s"):format(seed, i, tostring(one.bad)))
        end
    end
    for i, one in ipairs(heard) do assert.is_true(#one.calls > 1, "question " .. i) end
    realm:close()
end

describe("observed results", function()
    it("tell what makes a copy of the old list the present one, in memory and in a file", function()
        for seed = 1, 6 do program(":memory:", seed * 7919, 60) end
        local path = process.path()
        for seed = 1, 3 do
            program(path, seed * 104729, 60)
            for _, suffix in ipairs({ "", "-wal", "-shm", ".lock" }) do os.remove(path .. suffix) end
        end
    end)

    local realm, tasks

    local function write(fn) return assert(realm:write(fn)) end

    before_each(function()
        realm = assert(syncline.open({ path = ":memory:", schema = SCHEMA }))
        tasks = realm:objects("Task")
        write(function()
            for id = 1, 5 do realm:create("Task", { _id = id, title = "t" .. id, rank = id * 10, done = id % 2 == 1 }) end
        end)
    end)

    after_each(function() realm:close() end)

    -- What is heard as lists of numbers: deletions / insertions / old modifications > modifications.
    local function text(changes)
        return ("%s/%s/%s>%s"):format(table.concat(changes.deletions, " "), table.concat(changes.insertions, " "),
            table.concat(changes.old_modifications, " "), table.concat(changes.modifications, " "))
    end

    local function listen(results)
        local heard = {}
        return heard, results:observe(function(_, changes) heard[#heard + 1] = text(changes) end)
    end

    it("are of the results and not of the class", function()
        local heard = listen(tasks:where({ done = true })) -- 1 3 5
        assert.same({ "//>" }, heard)
        write(function() realm:object("Task", 2).title = "x" end)
        write(function() realm:create("Note", { text = "x" }) end)
        write(function() realm:create("Task", { _id = 6, title = "t6" }) end)
        assert.equal(1, #heard)
        write(function() realm:object("Task", 3).done = false end) -- leaves the results: deleted, not modified
        write(function() realm:object("Task", 4).done = true end)
        write(function() realm:object("Task", 4).title = "y" end)
        write(function()
            realm:delete(realm:object("Task", 1))
            realm:create("Task", { _id = 0, title = "t0", done = true })
            realm:object("Task", 5).title = "z"
        end)
        assert.same({ "//>", "2//>", "/2/>", "//2>2", "1/1/3>3" }, heard)
    end)

    it("tell of a move as a deletion and an insertion, and of nothing that stays", function()
        local heard = listen(tasks:sorted("rank")) -- 1 2 3 4 5
        write(function() realm:object("Task", 1).rank = 35 end) -- 2 3 1 4 5
        write(function() realm:object("Task", 1).rank = 36 end) -- stays
        write(function()
            realm:object("Task", 4).rank = 1
            realm:object("Task", 5).rank = 2
            realm:object("Task", 2).title = "x"
        end) -- 4 5 2 3 1
        assert.same({ "//>", "1/3/>", "//3>3", "4 5/1 2/1>3" }, heard)
    end)

    it("follow links to objects that come and go", function()
        local list
        write(function()
            list = realm:create("List", { _id = "a", name = "A" })
            realm:object("Task", 2).list = list
            realm:object("Task", 4).list = list
        end)
        local heard = listen(tasks:where({ list = null })) -- 1 3 5
        write(function() realm:delete(list) end)
        assert.same({ "//>", "/2 4/>" }, heard)
    end)

    it("can be observed by many, who share one live result", function()
        local lists, observers = {}, {}
        local function hear(results)
            lists[#lists + 1], observers[#observers + 1] = listen(results)
        end
        hear(tasks:where({ done = true }))
        hear(realm:objects("Task"):where({ done = true }))
        local filtered = tasks:filter(function(task) return task.done end)
        local asked = 0
        local counted = tasks:filter(function() asked = asked + 1 return true end)
        for _, results in ipairs({ filtered, counted, counted, counted }) do hear(results) end
        local sources = 0
        for _ in pairs(realm.sources) do sources = sources + 1 end
        assert.equal(3, sources)
        assert.equal(5, asked) -- once for each object, not for each observer
        asked = 0
        write(function() realm:object("Task", 1).done = false end)
        assert.is_true(asked <= 5)
        for i = 1, 3 do assert.same({ "//>", "1//>" }, lists[i]) end
        for i = 4, 6 do assert.same({ "//>", "//1>1" }, lists[i]) end
        for _, observer in ipairs(observers) do observer:stop() end
        assert.is_nil(next(realm.sources))
        assert.same({}, realm.observers)
    end)

    it("ask a filter about what was touched, not about everything", function()
        local asked = {}
        realm:close()
        realm = assert(syncline.open({ path = ":memory:", schema = {
            { name = "Plain", primary_key = "_id", properties = { _id = "int", n = "int" } } } }))
        write(function() for id = 1, 200 do realm:create("Plain", { _id = id, n = id }) end end)
        realm:objects("Plain"):filter(function(p) asked[#asked + 1] = p._id return p.n % 2 == 0 end):observe(function() end)
        assert.equal(200, #asked)
        asked = {}
        write(function() realm:object("Plain", 7).n = 8 end)
        assert.same({ 7 }, asked)
    end)

    it("tell once of what is written inside of an observer, when the round is over", function()
        local order, depth = {}, 0
        local function note(name)
            return function(found, changes)
                depth = depth + 1
                assert.equal(1, depth) -- nobody inside of another one
                order[#order + 1] = ("%s %s"):format(name, text(changes))
                if name == "a" and #order > 3 and found:count() < 8 then
                    write(function() realm:create("Task", { _id = -found:count(), title = "n" }) end)
                end
                depth = depth - 1
            end
        end
        local observers = { tasks:observe(note("a")), tasks:observe(note("b")), mirror(tasks).observer }
        local copy = mirror(tasks)
        order[#order + 1] = "go"
        write(function() realm:object("Task", 5).title = "x" end)
        assert.same({ "a //>", "b //>", "go", "a //5>5", "b /1/5>6", "a /1/>", "b /1/>", "a /1/>", "b /1/>", "a /1/>" },
            { order[1], order[2], order[3], order[4], order[5], order[6], order[7], order[8], order[9], order[10] })
        assert.is_nil(copy.bad)
        assert.equal(8, #copy.copy)
        for _, observer in ipairs(observers) do observer:stop() end
    end)

    it("can be left and joined inside of an observer", function()
        local heard, late = {}, nil
        local first, second
        first = tasks:observe(function(_, changes)
            heard[#heard + 1] = "first " .. text(changes)
            if #changes.insertions == 0 then return end
            first:stop()
            second:stop()
            late = late or listen(tasks)
        end)
        second = tasks:observe(function() heard[#heard + 1] = "second" end)
        write(function() realm:create("Task", { _id = 6, title = "x" }) end)
        write(function() realm:create("Task", { _id = 7, title = "x" }) end)
        assert.same({ "first //>", "second", "first /6/>" }, heard)
        assert.same({ "//>", "/7/>" }, late)
    end)

    it("keep errors to themselves, those of filters too", function()
        local reported = {}
        realm.on_observer_error = function(message) reported[#reported + 1] = message end
        tasks:observe(function() error("oops") end)
        local angry = false
        local filtered = listen(tasks:filter(function(task)
            if angry and task._id == 2 then error("filter") end
            return true
        end))
        local heard = listen(tasks)
        angry = true
        write(function() realm:object("Task", 2).title = "x" end)
        assert.equal(3, #reported) -- the first call, the filter, the second call
        assert.matches("oops", reported[1])
        assert.matches("filter", reported[2])
        assert.same({ "//>", "//2>2" }, heard)
        assert.same({ "//>", "2//>" }, filtered)
        realm.on_observer_error = function() error("again") end
        local write_to = io.stderr
        io.stderr = { write = function() end } -- luacheck: ignore
        write(function() realm:object("Task", 2).title = "y" end)
        io.stderr = write_to -- luacheck: ignore
        assert.equal(3, #heard)
    end)

    it("have their first call after the write in which they are observed, committed or not", function()
        local heard = {}
        write(function()
            realm:create("Task", { _id = 6, title = "x" })
            tasks:observe(function(found, changes) heard[#heard + 1] = found:count() .. " " .. text(changes) end)
            assert.same({}, heard)
        end)
        assert.has_error(function()
            realm:write(function()
                realm:create("Task", { _id = 7, title = "x" })
                tasks:where({ done = true }):observe(function(found) heard[#heard + 1] = found:count() end)
                error("back")
            end)
        end)
        assert.same({ "6 //>", 3 }, heard)
    end)

    it("end with the realm, in a callback too", function()
        local calls = 0
        local function close()
            calls = calls + 1
            if calls == 3 then realm:close() end
        end
        tasks:observe(close)
        tasks:observe(close)
        write(function() realm:object("Task", 1).title = "x" end)
        assert.equal(3, calls)
    end)

    it("become empty when the class goes, and are told of what a schema brings", function()
        local heard = listen(tasks:where({ done = true }))
        write(function() realm.handle:erase_class("Task") end)
        assert.same({ "//>", "1 2 3//>" }, heard)
    end)
end)

describe("observed results of a synchronised realm", function()
    it("hear of downloads as of writes", function()
        for seed = 1, 4 do
            local world = assert(simulation.new({ seed = seed, clients = 2, schema = SCHEMA, state_transfer = seed % 2 == 0 }))
            local writer, reader = world.clients[1]:realm(), world.clients[2]:realm()
            reader.on_observer_error = function(message) error(message, 0) end
            local random, heard = generator(seed * 7919), {}
            for i, results in ipairs(questions(reader)) do heard[i] = mirror(results) end
            for _ = 1, 15 do
                assert(writer:write(function() for _ = 1, random(5) do random_step(writer, random) end end))
                assert(reader:write(function() for _ = 1, random(3) do random_step(reader, random) end end))
                assert(world:advance(random(3)))
            end
            assert(world:settle())
            for i, one in ipairs(heard) do
                assert.is_nil(one.bad, ("seed %d, question %d: %s"):format(seed, i, tostring(one.bad)))
                assert.equal(#one.copy, questions(reader)[i]:count())
            end
            -- Exactly what was touched: no object too much counts as modified.
            local last = heard[1].calls
            local before = #last
            assert(writer:write(function() writer:create("Task", { _id = 99, title = "last" }) end))
            assert(world:settle())
            assert.equal(before + 1, #last)
            assert.same({}, last[#last].modifications)
            assert.equal(1, #last[#last].insertions)
            world:close()
        end
    end)
end)

describe("changes as positions", function()
    it("of two rounds are those of one", function()
        local random = generator(4711)
        for _ = 1, 300 do
            local names, all = {}, {}
            for i = 1, random(8) do names[i] = "n" .. i end
            all[1] = names
            local rounds = {}
            for round = 1, 2 do
                local old, new, modified = all[round], {}, {}
                for _, name in ipairs(old) do
                    if random(4) > 1 then table.insert(new, random(#new + 1), name) end
                    if random(3) == 1 then modified[name] = true end
                end
                for i = 1, random(3) do table.insert(new, random(#new + 1), ("r%d.%d"):format(round, i)) end
                all[round + 1] = new
                rounds[round] = positions.compare(old, new, modified)
            end
            local copy, merged = {}, positions.merge(rounds[1], rounds[2])
            for i, name in ipairs(all[1]) do copy[i] = name end
            for i, at in ipairs(merged.modifications) do
                assert.equal(all[1][merged.old_modifications[i]], all[3][at])
            end
            apply(copy, merged, function(at) return all[3][at] end)
            assert.same(all[3], copy)
        end
    end)
end)
