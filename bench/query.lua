-- Questions to a realm of many objects: by value with an index, by value without, and by a Lua predicate that loads them.
-- Usage: query.lua [--name PATTERN] [--json] [--dir IGNORED] [--objects N]
local syncline = require("syncline")
local json = require("syncline.core").json

local options = { objects = 100000 }
for i = 1, #arg do
    if arg[i] == "--json" then options.json = true end
    if arg[i] == "--name" then options.name = arg[i + 1] end
    if arg[i] == "--objects" then options.objects = tonumber(arg[i + 1]) end
end
if options.name and not ("query"):find(options.name, 1, true) then return end

local SCHEMA = { { name = "Person", primary_key = "_id", properties = {
    _id = "int", name = { type = "string", indexed = true }, plain_name = "string",
    age = { type = "int", indexed = true }, plain_age = "int", height = "double", note = "string",
} } }

local function name_of(id) return ("person %d"):format(id * 7919 % options.objects) end

local function fill(realm)
    for first = 1, options.objects, 10000 do
        assert(realm:write(function()
            for id = first, math.min(first + 9999, options.objects) do
                realm:create("Person", { _id = id, name = name_of(id), plain_name = name_of(id), age = id % 1000,
                    plain_age = id % 1000, height = id / 7, note = "nothing in particular" })
            end
        end))
    end
end

local function report(place, what, times, fn)
    collectgarbage()
    local found
    local started = os.clock()
    for _ = 1, times do found = fn() end
    local us = (os.clock() - started) / times * 1e6
    if options.json then
        print(json.encode({ name = "query " .. what, place = place, operations = times, us_per_operation = us, found = found }))
    else
        print(("query %-8s %-46s %10.1f us  (%d found)"):format(place, what, us, found))
    end
end

local function run(place, path)
    local realm = assert(syncline.open({ path = path, schema = SCHEMA, fast_commits = true }))
    fill(realm)
    if path ~= ":memory:" then -- open it anew, so that nothing is loaded yet
        realm:close()
        realm = assert(syncline.open({ path = path, schema = SCHEMA }))
    end
    local people = realm:objects("Person")
    local function where(conditions) return function() return #people:where(conditions):to_array() end end
    local function filter(fn) return function() return #people:filter(fn):to_array() end end
    local wanted = name_of(4711)
    report(place, "one string, indexed", path == ":memory:" and 5 or 1000, where({ name = wanted }))
    report(place, "one string, not indexed", 5, where({ plain_name = wanted }))
    report(place, "one string, filter", 1, filter(function(p) return p.name == wanted end))
    report(place, "ints between, 1 percent, indexed", 20, where({ age = { "between", 100, 109 } }))
    report(place, "ints between, 1 percent, not indexed", 5, where({ plain_age = { "between", 100, 109 } }))
    report(place, "ints between, 1 percent, filter", 1, filter(function(p) return p.age >= 100 and p.age <= 109 end))
    report(place, "count of a tenth, indexed", 10, function() return people:where({ age = { "<", 100 } }):count() end)
    report(place, "count of a tenth, not indexed", 5, function() return people:where({ plain_age = { "<", 100 } }):count() end)
    report(place, "first of a tenth by height", 5, function()
        return people:where({ age = { "<", 100 } }):sorted("height", true):first() and 1
    end)
    report(place, "all by height", 2, function() return people:sorted("height"):count() and #people:sorted("height"):to_array() end)
    realm:close()
end

local path = os.tmpname()
os.remove(path)
run("file", path)
for _, suffix in ipairs({ "", "-wal", "-shm", ".lock" }) do os.remove(path .. suffix) end
run("memory", ":memory:")
