-- What comes from a server is integrated in slices, so that one step of the loop never holds its program for long.
-- Work is counted, not timed.
local loop = require("syncline.loop")
local process = require("support.process")
local syncline = require("syncline")

local SCHEMA = { { name = "Item", primary_key = "_id", properties = { _id = "int", n = "int", name = "string" } } }

describe("a step with a budget", function()
    local folder, server, realms

    local function open(name, options)
        local sync = { url = server:url(), token = server:token("default", name), partition = "items" }
        for key, value in pairs(options or {}) do sync[key] = value end
        local realm = assert(syncline.open({ path = folder .. "/" .. name, schema = SCHEMA, sync = sync }))
        realms[#realms + 1] = realm
        return realm
    end

    local function fill(realm, changesets, objects)
        for i = 0, changesets - 1 do
            assert(realm:write(function()
                for k = i * objects + 1, (i + 1) * objects do realm:create("Item", { _id = k, n = k, name = "item" }) end
            end))
        end
    end

    -- Steps until `done()`: how many did work, the most work of one, and all of it.
    local function steps(budget, done)
        local deadline, worked, most, sum = loop.get():now() + 120, 0, 0, 0
        while not done() do
            assert(loop.get():now() < deadline, "no progress")
            syncline.step(1, budget)
            local now = loop.get():worked()
            if now > 0 then worked = worked + 1 end
            most, sum = math.max(most, now), sum + now
        end
        return worked, most, sum
    end

    before_each(function()
        folder, realms = process.folder(), {}
        server = assert(syncline.server.start({ port = 0, tls = false, storage = folder .. "/server", log = { level = "off" } }))
    end)

    after_each(function()
        for _, realm in ipairs(realms) do realm:close() end
        server:stop()
        assert(syncline.run(function() return server.stopped end, 20))
        server:close()
        process.remove_folder(folder)
    end)

    it("integrates 100,000 objects in slices, whole changesets each, with the application in between", function()
        local writer = open("writer")
        fill(writer, 500, 200)
        assert(writer:sync_session():wait_for_upload(120))
        writer:close()
        local reader = open("reader")
        local heard, inserted, own = 0, 0, 0
        reader:objects("Item"):observe(function(_, changes)
            heard, inserted = heard + 1, inserted + #changes.insertions
        end)
        local BUDGET, CHANGESET = 4000, 200 * 5 -- creation, three values, saving
        local before = 0
        local worked, most, sum = steps({ steps = BUDGET }, function()
            local count = reader:objects("Item"):count() - own
            assert.equal(0, count % 200)
            if count > before and count < 100000 then
                assert(reader:write(function() reader:create("Item", { _id = -count, n = -1, name = "own" }) end))
                own = own + 1
            end
            before = count
            return count == 100000
        end)
        assert.is_true(most < BUDGET + 2 * CHANGESET, ("%d steps in one slice"):format(most))
        assert.is_true(worked >= sum / (BUDGET + 2 * CHANGESET) and worked >= 60, ("only %d slices"):format(worked))
        assert.is_true(heard >= 60 and inserted == 100000 + own)
        assert.is_true(own > 0)
        assert(reader:sync_session():wait_for_upload(60))
    end)

    it("goes on where it was when the program ends in between", function()
        local writer = open("writer")
        fill(writer, 100, 100)
        assert(writer:sync_session():wait_for_upload(60))
        writer:close()
        local reader = open("reader")
        steps({ steps = 500 }, function() return reader:objects("Item"):count() >= 1000 end)
        assert.is_true(reader:objects("Item"):count() < 10000)
        reader:close()
        local again = open("reader")
        assert.is_true(again:objects("Item"):count() >= 1000)
        steps({ steps = 500 }, function() return again:objects("Item"):count() == 10000 end)
    end)

    it("takes all that came before the connection ended", function()
        local writer = open("writer")
        fill(writer, 50, 100)
        assert(writer:sync_session():wait_for_upload(60))
        writer:close()
        local reader = open("reader")
        steps({ steps = 500 }, function() return reader:objects("Item"):count() > 0 end)
        server:stop()
        steps({ steps = 500 }, function() return server.stopped end)
        server:close()
        server = assert(syncline.server.start({ port = 0, tls = false, storage = folder .. "/server", log = { level = "off" } }))
        reader:close()
        reader = open("reader")
        steps({ steps = 500 }, function() return reader:objects("Item"):count() == 5000 end)
    end)

    it("sends what was written offline in slices", function()
        local writer = open("writer", { paused = true })
        fill(writer, 400, 100)
        assert(writer:sync_session():resume() ~= false)
        local done = 0
        local worked, most = steps({ steps = 1000 }, function()
            done = writer:info().uploaded_changesets
            return done >= 400
        end)
        -- One message at a time: 128 KiB and the changeset that goes beyond it.
        assert.is_true(most < 1000 + (131072 + 16384) / 16, ("%d steps in one slice"):format(most))
        assert.is_true(worked > 5, ("only %d slices"):format(worked))
    end)

    it("takes seconds as well, and refuses what is no budget", function()
        assert(syncline.step(0, 0.001))
        assert(syncline.step(0, { steps = 1 }))
        for _, wrong in ipairs({ 0, -1, "much", { steps = 0 }, { steps = 1.5 } }) do
            assert.has_error(function() syncline.step(0, wrong) end)
        end
    end)
end)
