-- The public module syncline.sim.
local simulation = require("syncline.sim")
local syncline = require("syncline")

local SCHEMA = {
    { name = "Note", primary_key = "_id", properties = { _id = "int", text = "string", votes = "int" } },
}

local function new(options)
    options = options or {}
    options.schema = options.schema or SCHEMA
    return assert(simulation.new(options))
end

local function note(id, text)
    return function(realm) realm:create("Note", { _id = id, text = text, votes = 0 }) end
end

describe("a simulation", function()
    it("brings offline writes of all clients together", function()
        local sim = new({ clients = 3 })
        for number = 1, 3 do
            sim:disconnect(number)
            assert(sim:client(number):write(note(number, "by " .. number)))
        end
        assert.is_true(sim:settle())
        assert.is_true(sim:states_equal())
        assert.equal(3, sim:client(1):realm():objects("Note"):count())
        assert.equal(sim:state(0), sim:state(2))
        assert.same({}, sim.errors)
        sim:close()
    end)

    describe("with collections inside collections", function()
        local NESTED = {
            { name = "Step", embedded = true, properties = { name = "string?", notes = "string[]" } },
            { name = "Thing", primary_key = "_id", properties = { _id = "int", list = "mixed[]", any = "mixed", steps = "Step{}" } },
        }
        local sim

        -- Two devices that know the same object write apart from each other; what both then hold.
        local function apart(list, first, second, order)
            sim = new({ clients = 2, schema = NESTED })
            assert(sim:client(1):write(function(realm) realm:create("Thing", { _id = 1, list = list }) end))
            assert.is_true(sim:settle())
            for number, change in ipairs({ first, second }) do
                sim:disconnect(number)
                assert(sim:client(number):write(function(realm) change(realm:object("Thing", 1)) end))
                sim:advance(1)
            end
            for _, number in ipairs(order) do
                sim:connect(number)
                sim:advance(20)
            end
            assert.is_true(sim:settle())
            assert.same({}, sim.errors)
            assert.is_true(sim:states_equal())
            return syncline.to_table(sim:client(1):realm():object("Thing", 1))
        end

        after_each(function() sim:close() end)

        for _, order in ipairs({ { 1, 2 }, { 2, 1 } }) do
            local name = ", device " .. order[1] .. " first"

            it("inserts one without emptying what others have beside it" .. name, function()
                local thing = apart({ 7, 8 }, function(thing)
                    thing.list:insert(1, { k = 4, deep = { { 1 }, { x = { 2 } } } })
                end, function(thing)
                    thing.list:remove(2)
                    thing.list:insert(1, 9)
                end, order)
                table.sort(thing.list, function(a, b) return type(a) == "number" and (type(b) ~= "number" or a < b) end)
                assert.same({ 7, 9, { k = 4, deep = { { 1 }, { x = { 2 } } } } }, thing.list)
            end)

            it("replaces and empties one that others have moved" .. name, function()
                local thing = apart({ { a = 1 }, 7, { 1, 2 } }, function(thing)
                    thing.list[1] = { b = 2 }
                    thing.list[3]:clear()
                end, function(thing)
                    thing.list:insert(1, 9)
                    thing.list:insert(3, 10)
                end, order)
                assert.same({ { b = 2 }, 9, 10, 7, {} }, thing.list)
            end)

            it("makes one embedded object of two under one key" .. name, function()
                local thing = apart({}, function(thing)
                    thing.steps = { cook = { name = "A", notes = { "a" } } }
                end, function(thing)
                    thing.steps = { cook = { name = "B", notes = { "b" } } }
                end, order)
                assert.same({ cook = { name = "B", notes = { "a", "b" } } }, thing.steps)
            end)
        end

        it("records no Clear of a collection that is new", function()
            apart({}, function(thing)
                local realm, before = sim:client(1):realm()
                local function recorded(change)
                    before = realm:recorded_bytes()
                    change()
                    return realm:recorded_bytes() - before
                end
                local function bare() thing.list:insert_new(1, "dictionary"):make("k", "list") end
                bare()
                assert.equal(recorded(bare), recorded(function() thing.list:insert(1, { k = {} }) end))
            end, function() end, { 1, 2 })
        end)

        it("keeps a list of a device that assigns it to itself", function()
            local thing = apart({ { 1, 2 } }, function(thing)
                thing.list[1] = thing.list[1]
                thing.any = thing.list[1]
                thing.any = thing.any
            end, function() end, { 1, 2 })
            assert.same({ { 1, 2 } }, thing.list)
            assert.same({ 1, 2 }, thing.any)
        end)
    end)

    it("repeats itself exactly with the same seed, and not with another", function()
        local function run(seed)
            local lines = {}
            local sim = new({ seed = seed, log = function(now, line)
                lines[#lines + 1] = ("%.3f %s"):format(now, line)
            end })
            sim:client(1):write(note(1, "x"))
            sim:set_link(1, { latency = 0.02, spread = 0.5 })
            sim:advance(30)
            sim:cut(2, "client", 5)
            sim:settle()
            sim:close()
            return table.concat(lines, "\n")
        end
        local first = run(7)
        assert.equal(first, run(7))
        assert.is_not.equal(first, run(8))
    end)

    it("decides serialized transactions once, whatever breaks meanwhile", function()
        local successes, conflicts, unknown = 0, 0, 0
        for seed = 1, 12 do
            local sim = new({ seed = seed, clients = 4 })
            sim:client(1):write(note(1, "counter"))
            assert.is_true(sim:settle())
            local done, doubtful = 0, 0
            local function raise(realm)
                local counter = realm:object("Note", 1)
                counter.votes = counter.votes + 1
            end
            local function heard(outcome)
                if outcome == "accepted" then done = done + 1 elseif outcome == "conflict" then conflicts = conflicts + 1 end
                if outcome == "unknown" then doubtful = doubtful + 1 end
            end
            for round = 1, 30 do
                local number = (round * 7 + seed) % 4 + 1
                if sim:client(number):realm() then sim:client(number):transact(raise, heard) end
                if round % 5 == 0 then sim:cut((round + seed) % 4 + 1, "both", 2) end
                if round % 11 == 0 then sim:crash(0, seed % 2 == 0 and "power" or "process", 1) end
                if seed % 3 == 0 and round % 13 == 0 then sim:crash(number, "power", 1) end
                sim:advance(round % 4 == 0 and 3 or 0.02)
            end
            assert.is_true(sim:settle())
            assert.is_true(sim:states_equal())
            local votes = sim:client(1):realm():object("Note", 1).votes
            assert.is_true(votes >= done and votes <= done + doubtful, ("seed %d: %d of %d"):format(seed, votes, done))
            if seed % 3 ~= 0 then assert.equal(0, doubtful) end
            successes, unknown = successes + done, unknown + doubtful
            assert.same({}, sim.errors)
            sim:close()
        end
        assert.is_true(successes > 60 and conflicts > 10, ("%d, %d"):format(successes, conflicts))
    end)

    it("keeps what was committed through crashes of both sides", function()
        local sim = new()
        sim:client(1):write(note(1, "safe"))
        sim:advance(0.03)
        sim:crash(0)
        local realm = sim:client(1):realm()
        sim:crash(1, "power", 2)
        assert.is_true(realm:is_closed())
        assert.is_nil(sim:client(1):realm())
        assert.is_nil((sim:client(1):write(note(2, "down"))))
        assert.is_true(sim:settle())
        assert.is_true(sim:states_equal())
        assert.equal("safe", sim:client(2):realm():object("Note", 1).text)
        sim:close()
    end)

    it("lets a full disk refuse a write and go on afterwards", function()
        local sim = new()
        sim:client(1):realm()
        sim:limit_disk(1, 10)
        local ok, _, code = sim:client(1):write(note(1, "too much"))
        assert.is_nil(ok)
        assert.equal("FULL", code)
        sim:limit_disk(1)
        assert.is_true((sim:client(1):write(note(1, "fits"))))
        assert.is_true(sim:settle())
        assert.is_true(sim:states_equal())
        sim:close()
    end)

    it("carries clients over a restored backup without losing what they had not sent", function()
        local sim = new()
        sim:client(1):write(note(1, "old"))
        assert.is_true(sim:settle())
        sim:backup()
        sim:client(1):write(note(2, "forgotten by the server"))
        assert.is_true(sim:settle())
        sim:disconnect(1)
        sim:client(1):write(note(3, "not sent"))
        sim:restore()
        assert.is_true(sim:settle())
        assert.is_true(sim:states_equal())
        assert.equal("not sent", sim:client(2):realm():object("Note", 3).text)
        assert.is_nil(sim:client(2):realm():object("Note", 2))
        assert.is_true(sim.errors[1].client_reset)
        assert.equal(1, sim:client(1):info().resets)
        sim:close()
    end)

    it("tells observers of changes that arrive, and lets them write", function()
        local sim = new()
        local seen = {}
        sim:client(2):realm():observe(function(realm, changes)
            for _, key in ipairs(changes.Note and changes.Note.inserted or {}) do
                seen[#seen + 1] = key
                realm:write(function() realm:object("Note", key).votes = 1 end)
            end
        end)
        sim:client(1):write(note(5, "hello"))
        assert.is_true(sim:settle())
        assert.same({ 5 }, seen)
        assert.equal(1, sim:client(1):realm():object("Note", 5).votes)
        sim:close()
    end)

    it("raises when time should pass inside a write", function()
        local sim = new()
        assert.has_error(function()
            sim:client(1):write(function() sim:advance(1) end)
        end)
        sim:close()
    end)

    it("raises for what does not exist", function()
        assert.has_error(function() simulation.new({ client = 2 }) end)
        assert.has_error(function() simulation.new({ clients = 65 }) end)
        local sim = new()
        assert.has_error(function() sim:client(3) end)
        assert.has_error(function() sim:disconnect(0) end)
        sim:close()
        assert.has_error(function() sim:advance(1) end)
    end)

    it("runs the example of the manual", function()
        local file = assert(io.open("doc/simulator.md"))
        local text = file:read("*a")
        file:close()
        local count = 0
        for code in text:gmatch("```lua\n(.-)```") do
            count = count + 1
            assert((loadstring or load)(code))() -- luacheck: ignore
        end
        assert.is_true(count > 0)
    end)

    local function filled(options)
        options.state_transfer, options.clients = true, options.clients or 3
        local sim = new(options)
        for round = 1, 5 do
            assert(sim:client(1):write(function(realm)
                for k = 1, 200 do
                    local text, x = "", k * round
                    for _ = 1, 20 do -- nothing that would compress well
                        x = x * 16807 % 2147483647
                        text = text .. ("%08x"):format(x)
                    end
                    realm:create("Note", { _id = k, text = text, votes = round }, "all")
                end
            end))
        end
        assert.is_true(sim:settle())
        return sim
    end

    it("hands its present content to a client that is installed anew", function()
        local sim = filled({ seed = 3 })
        sim:renew(2)
        assert.is_true(sim:settle())
        assert.is_true(sim:states_equal())
        assert.equal(1, sim:client(2):info().states)
        assert(sim:client(2):write(note(1000, "goes on")))
        assert(sim:client(1):write(note(1001, "goes on, too")))
        assert.is_true(sim:settle())
        assert.is_true(sim:states_equal())
        assert.same({}, sim.errors)
        sim:close()
    end)

    it("hands it over whatever breaks meanwhile", function()
        local installed, broken = 0, 0
        for seed = 1, 40 do
            local sim = filled({ seed = seed })
            local before = sim:client(2):info().states
            sim:set_link(2, { latency = 0.01, rate = 20000 })
            sim:renew(2)
            sim:advance(0.02 * (seed % 8))
            local harm = seed % 4
            if harm == 0 then sim:crash(2, "power", 1) end
            if harm == 1 then sim:crash(0, "power", 1) end
            if harm == 2 then sim:cut(2, "client", 3) end
            if harm == 3 then
                assert(sim:client(1):write(function(realm)
                    for k = 1, 200 do realm:object("Note", k).text = "all of them anew " .. k end
                end))
                sim:cut(2, "both")
            end
            if sim:client(2):info().states == before then broken = broken + 1 end
            sim:advance(3)
            assert.is_true(sim:settle())
            assert.is_true(sim:states_equal())
            installed = installed + sim:client(2):info().states - before
            assert.same({}, sim.errors)
            sim:close()
        end
        assert.equal(40, installed)
        assert.is_true(broken > 20)
    end)
end)
