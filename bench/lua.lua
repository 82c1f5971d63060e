-- What a Lua program does every day, beside the same done with SQL through lua-sql-sqlite3 in a table of the same columns
-- and indexes: paired in one run, the two sides in turns, best of several rounds. Without that module (Debian:
-- apt-get install lua-sql-sqlite3) only one side is measured.
-- Usage: lua.lua [--name PATTERN] [--json] [--dir IGNORED] [--objects N] [--rounds N]
local syncline = require("syncline")
local json = require("syncline.core").json

local options = { objects = 100000, rounds = 5 }
for i = 1, #arg do
    if arg[i] == "--json" then options.json = true end
    if arg[i] == "--name" then options.name = arg[i + 1] end
    if arg[i] == "--objects" then options.objects = tonumber(arg[i + 1]) end
    if arg[i] == "--rounds" then options.rounds = tonumber(arg[i + 1]) end
end
if options.name and not ("lua"):find(options.name, 1, true) then return end
local has_sql, luasql = pcall(require, "luasql.sqlite3")

local SCHEMA = { { name = "Person", primary_key = "_id", properties = {
    { name = "_id", type = "int" }, { name = "name", type = "string", indexed = true }, { name = "city", type = "string" },
    { name = "age", type = "int" }, { name = "height", type = "double" },
} } }

local N = options.objects
local function name_of(id) return ("person %d"):format(id * 7919 % N) end
local function city_of(id) return ("city number %d of the land"):format(id % 977) end

local function open_realm(path)
    local realm = assert(syncline.open({ path = path, schema = SCHEMA, fast_commits = true }))
    assert(realm:write(function()
        for id = 1, N do
            realm:create("Person", { _id = id, name = name_of(id), city = city_of(id), age = id % 100, height = id / 7 })
        end
    end))
    return realm
end

local function open_sql(path)
    local sql = assert(luasql.sqlite3():connect(path))
    local function run(text) return assert(sql:execute(text)) end
    run("PRAGMA journal_mode = WAL"):close()
    run("PRAGMA synchronous = OFF")
    run("CREATE TABLE Person(_id INTEGER UNIQUE, name TEXT, city TEXT, age INTEGER, height REAL)")
    run("CREATE INDEX person_name ON Person(name)")
    run("BEGIN")
    for id = 1, N do
        run(("INSERT INTO Person VALUES(%d, '%s', '%s', %d, %.17g)"):format(id, name_of(id), city_of(id), id % 100, id / 7))
    end
    run("COMMIT")
    return run
end

-- Each: name, how often, ours, SQL; both return what they found.
local function workloads(realm, run)
    local people = realm and realm:objects("Person")
    local function scalar(text)
        local cursor = run(text)
        local value = cursor:fetch()
        cursor:close()
        return value
    end
    local turn = 0
    local function next_id()
        turn = turn + 1
        return turn * 7919 % N + 1
    end
    return {
        { "one object by an indexed string", 1000, function() return people:where({ name = name_of(next_id()) }):first()._id end,
            function() return scalar(("SELECT _id FROM Person WHERE name = '%s'"):format(name_of(next_id()))) end },
        { "the first object", 1000, function() return realm:objects("Person"):first()._id end,
            function() return scalar("SELECT _id FROM Person ORDER BY _id LIMIT 1") end },
        { "the object in the middle", 20, function() return realm:objects("Person"):at(N / 2 - N / 2 % 1)._id end,
            function() return scalar(("SELECT _id FROM Person ORDER BY _id LIMIT 1 OFFSET %d"):format(N / 2 - N / 2 % 1 - 1)) end },
        { "count without an index", 5, function() return people:where({ age = { "<", 30 } }):count() end,
            function() return scalar("SELECT count(*) FROM Person WHERE age < 30") end },
        { "count, string contains", 5, function() return people:where({ city = { "contains", "77" } }):count() end,
            function() return scalar("SELECT count(*) FROM Person WHERE instr(city, '77')") end },
        { "sum of ints", 5, function() return people:sum("age") end, function() return scalar("SELECT sum(age) FROM Person") end },
        { "average of doubles", 5, function() return math.floor(people:avg("height")) end,
            function() return math.floor(scalar("SELECT avg(height) FROM Person")) end },
        { "go over all, read two properties", 1, function()
            local found = 0
            for person in people:each() do
                if person.age >= 0 and person.name then found = found + 1 end
            end
            return found
        end, function()
            local cursor, found = run("SELECT name, age FROM Person ORDER BY _id"), 0
            local name, age = cursor:fetch()
            while name do
                if age >= 0 then found = found + 1 end
                name, age = cursor:fetch()
            end
            cursor:close()
            return found
        end },
        { "write one property of one object", 1000, function()
            local id = next_id()
            assert(realm:write(function() realm:object("Person", id).age = id % 100 end))
            return 1
        end, function()
            local id = next_id()
            run("BEGIN")
            run(("UPDATE Person SET age = %d WHERE _id = %d"):format(id % 100, id))
            run("COMMIT")
            return 1
        end },
    }
end

local function measure(times, fn)
    collectgarbage()
    local found
    local started = os.clock()
    for _ = 1, times do found = fn() end
    return (os.clock() - started) / times * 1e6, found
end

local function report(what, ours, sql, found)
    if options.json then
        print(json.encode({ name = "lua " .. what, us_per_operation = ours, sql_us_per_operation = sql, found = found }))
    elseif sql then
        print(("lua  %-34s %11.1f us   SQL %11.1f us   ratio %5.2f"):format(what, ours, sql, ours / sql))
    else
        print(("lua  %-34s %11.1f us"):format(what, ours))
    end
end

-- Right after the large write: what the process has just written must cost nothing more.
local function run_all(realm, run, when)
    for _, work in ipairs(workloads(realm, run)) do
        local what, times, ours, sql = work[1], work[2], work[3], run and work[4]
        local best, best_sql, found, found_sql
        for _ = 1, options.rounds do
            local us
            us, found = measure(times, ours)
            best = math.min(best or us, us)
            if sql then
                us, found_sql = measure(times, sql)
                best_sql = math.min(best_sql or us, us)
            end
        end
        if sql and not what:find("one object by") and found ~= found_sql then
            error(("%s: %s, SQL says %s"):format(what, tostring(found), tostring(found_sql)))
        end
        report(what .. when, best, best_sql, tonumber(tostring(found)))
    end
end

-- The first walk over a file that was just opened: every object is loaded.
local function run_cold(path, run)
    local best, best_sql
    for _ = 1, options.rounds do
        local realm = assert(syncline.open({ path = path, schema = SCHEMA }))
        for _, work in ipairs(workloads(realm, run)) do
            if work[1]:find("^go over all") then
                local us = measure(1, work[3])
                best = math.min(best or us, us)
                if run then
                    us = measure(1, work[4])
                    best_sql = math.min(best_sql or us, us)
                end
            end
        end
        realm:close()
    end
    report("go over all, nothing loaded yet", best, best_sql, N)
end

local path, sql_path = os.tmpname(), os.tmpname()
os.remove(path)
local realm, run = open_realm(path), has_sql and open_sql(sql_path)
run_all(realm, run, "")
realm:close()
run_cold(path, run)
for _, suffix in ipairs({ "", "-wal", "-shm", ".lock" }) do
    os.remove(path .. suffix)
    os.remove(sql_path .. suffix)
end
