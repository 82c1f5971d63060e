-- Random objects and random questions: what `where` finds is what a filter finds that asks the same of every object
-- in Lua. Through SQLite and in memory, with indexes and without, and with names that want quoting.
local process = require("support.process")
local syncline = require("syncline")

local null = syncline.null
local CLASS = 'a"class; DROP TABLE x --'
local TARGET = "select"

-- Property name -> type, its values, which of them have an order.
local function timestamps()
    return { syncline.timestamp(0), syncline.timestamp(1, 5), syncline.timestamp(-1, -5), syncline.timestamp(253402300799),
        syncline.timestamp(253402300800), syncline.timestamp(-62167219200), syncline.timestamp(-62167219201),
        syncline.timestamp(1e13) }
end

local function kinds()
    local strings = { "", "a", "A", "ab", "abc", "b", "\195\164", "\195\164b", "\255", "a\255", "a\0b", "'", '"', "%", "a~", "a\127b" }
    local numbers = { 0, -1, 1, 2.5, 1e300, -1e300, 1 / 0, -1 / 0, 0 / 0, 30, 30.5, -0.0 }
    local objectids, uuids, decimals = {}, {}, {}
    for i = 1, 4 do
        objectids[i] = syncline.objectid(("%024x"):format(i * 77))
        uuids[i] = syncline.uuid(("00000000-0000-0000-0000-%012x"):format(i * 99))
    end
    for i, text in ipairs({ "0", "1", "1.0", "1.00", "2.5", "-1", "1E+3", "Infinity", "NaN" }) do
        decimals[i] = syncline.decimal(text)
    end
    local binaries = {}
    for i, text in ipairs(strings) do binaries[i] = syncline.binary(text) end
    local mixed = { 1, 2.5, "1", "", "a", true, false, syncline.timestamp(5), objectids[1], uuids[1], binaries[3],
        syncline.float(2.5), decimals[3], syncline.link(TARGET, 1), syncline.link(TARGET, 2), 0 / 0 }
    return {
        { 'int"', "int?", { 0, 1, -1, 5, 7, 30, 1000000 }, "number", true },
        { "bool", "bool?", { true, false }, "bool", true },
        { "str'ing", "string?", strings, "string", true },
        { "binary", "binary?", strings, "string", false },
        { "sqlite_time", "timestamp?", timestamps(), "typed", true },
        { "double", "double?", numbers, "number", false },
        { "Double", "float?", numbers, "number", false },
        { "decimal", "decimal?", decimals, "decimal", false },
        { "oid", "objectid?", objectids, "typed", true },
        { "uuid", "uuid?", uuids, "typed", true },
        { "link", TARGET, { syncline.link(TARGET, 1), syncline.link(TARGET, 2), syncline.link(TARGET, 3) }, "link", false },
        { "any; --", "mixed", mixed, "mixed", true },
    }
end

local NUMERIC = { int = true, float = true, double = true, decimal = true }

-- Values as one tag and something that compares.
local function plain(value)
    if value == nil or value == null then return "null" end
    local kind = type(value)
    if kind == "boolean" or kind == "string" then return kind, value end
    if kind == "number" then return "number", value end
    local name = syncline.typeof(value)
    if name == "decimal" then return "decimal", value end
    if NUMERIC[name] then return "number", tonumber(tostring(value)) end
    if name == "binary" then return "binary", tostring(value) end
    if name == "link" then return "link", value.class .. ":" .. tostring(value.key) end
    return name, value
end

local core = require("syncline.core")

local function tag(value)
    if type(value) == "userdata" and core.realm.kind(value) == "object" then
        return "link", value:class() .. ":" .. tostring(value:key())
    end
    return plain(value)
end

local function to_decimal(kind, value)
    if kind == "decimal" then return value end
    if value ~= value then return syncline.decimal("NaN") end
    if value == 1 / 0 then return syncline.decimal("Infinity") end
    if value == -1 / 0 then return syncline.decimal("-Infinity") end
    return syncline.decimal(("%.15g"):format(value))
end

local function is_nan(kind, value)
    if kind == "decimal" then return tostring(value):lower():find("nan") ~= nil end
    return value ~= value
end

-- -1, 0, 1, or nil when there is no order; equality of what has none is the second result.
local function compare(a, b)
    local kind_a, x = tag(a)
    local kind_b, y = tag(b)
    if kind_a == "null" or kind_b == "null" then return nil, kind_a == kind_b end
    local numbers = (kind_a == "number" or kind_a == "decimal") and (kind_b == "number" or kind_b == "decimal")
    if numbers then
        if is_nan(kind_a, x) or is_nan(kind_b, y) then return nil, false end
        if kind_a == "decimal" or kind_b == "decimal" then x, y = to_decimal(kind_a, x), to_decimal(kind_b, y) end
    elseif kind_a ~= kind_b then
        return nil, false
    end
    if kind_a == "boolean" or kind_a == "link" then return nil, x == y end
    if x == y then return 0, true end
    return x < y and -1 or 1, false
end

local HOLDS = {
    ["="] = function(x, v) return select(2, compare(x, v)) end,
    ["~="] = function(x, v) return not select(2, compare(x, v)) end,
    ["<"] = function(x, v) return compare(x, v) == -1 end,
    ["<="] = function(x, v) return (compare(x, v) or 2) <= 0 end,
    [">"] = function(x, v) return compare(x, v) == 1 end,
    [">="] = function(x, v) return (compare(x, v) or -1) >= 0 end,
    between = function(x, v, w) return (compare(x, v) or -1) >= 0 and (compare(x, w) or 2) <= 0 end,
    ["in"] = function(x, list)
        for i = 1, #list do
            if select(2, compare(x, list[i])) then return true end
        end
        return false
    end,
}

local function text(fn)
    return function(x, v)
        local kind_x, a = tag(x)
        local kind_v, b = tag(v)
        return kind_x == kind_v and type(a) == "string" and kind_x ~= "link" and fn(a, b)
    end
end
HOLDS.begins_with = text(function(a, b) return a:sub(1, #b) == b end)
HOLDS.ends_with = text(function(a, b) return b == "" or a:sub(-#b) == b end)
HOLDS.contains = text(function(a, b) return a:find(b, 1, true) ~= nil end)

local EQUALITY, ORDER = { "=", "~=", "in" }, { "<", "<=", ">", ">=", "between" }
local TEXT = { "begins_with", "ends_with", "contains" }

describe("what where finds", function()
    local seed = tonumber(os.getenv("SEED")) or 20240229
    local state

    -- The same numbers on every Lua.
    local function random(n)
        state = (state * 16807) % 2147483647
        return state % n + 1
    end

    local function pick(list) return list[random(#list)] end

    local function make_schema(indexed)
        local properties = { { name = "_id", type = "int" } }
        for _, kind in ipairs(kinds()) do
            properties[#properties + 1] = { name = kind[1], type = kind[2], indexed = indexed and kind[5] or nil }
        end
        return {
            { name = CLASS, primary_key = "_id", properties = properties },
            { name = TARGET, primary_key = "_id", properties = { _id = "int" } },
        }
    end

    local gone -- the key of the target that was deleted, to which no new link can be made

    local function random_values(all)
        local values = {}
        for _, kind in ipairs(all) do
            local value = random(5) > 1 and pick(kind[3]) or nil
            if value ~= nil and tag(value) == "link" and value.key == gone then value = nil end
            values[kind[1]] = value
        end
        return values
    end

    local function operand(kind)
        if kind[4] == "number" and random(4) == 1 then
            return pick({ 0, 1, 2.5, 30, -1, syncline.decimal("2.5"), syncline.decimal("1.00"), syncline.float(2.5), 0 / 0 })
        end
        return pick(kind[3])
    end

    local function ordered(kind, value)
        local name = tag(value)
        return kind[4] ~= "bool" and kind[4] ~= "link" and name ~= "boolean" and name ~= "link"
    end

    local function random_test(kind)
        local value = operand(kind)
        local choice = random(3)
        if choice == 2 and ordered(kind, value) then
            local test = pick(ORDER)
            local other = operand(kind)
            if test == "between" and ordered(kind, other) then return { test, value, other } end
            return { test == "between" and "<" or test, value }
        end
        if choice == 3 and (kind[4] == "string" or tag(value) == "string" or tag(value) == "binary") then
            return { pick(TEXT), value }
        end
        local test = pick(EQUALITY)
        if test == "in" then return { test, { value, random(6) == 1 and null or operand(kind), operand(kind) } } end
        return { test, random(6) == 1 and null or value }
    end

    local function random_question(all)
        local conditions = {}
        for _ = 1, random(2) do
            local kind = pick(all)
            conditions[kind[1]] = random(4) == 1 and { random_test(kind), random_test(kind) } or random_test(kind)
        end
        return conditions
    end

    local function holds(object, conditions)
        for name, spec in pairs(conditions) do
            for _, test in ipairs(type(spec[1]) == "table" and spec or { spec }) do
                local value = object:get(name)
                if not HOLDS[test[1]](value, test[2], test[3]) then return false end
            end
        end
        return true
    end

    local function show(conditions)
        local out = {}
        for name, spec in pairs(conditions) do
            for _, test in ipairs(type(spec[1]) == "table" and spec or { spec }) do
                local values = type(test[2]) == "table" and test[2] or { test[2], test[3] }
                for i, value in ipairs(values) do values[i] = tostring(value) end
                out[#out + 1] = ("%s %s %s"):format(name, test[1], table.concat(values, ", "))
            end
        end
        return table.concat(out, " and ")
    end

    local function keys(objects)
        local out = {}
        for i, object in ipairs(objects) do out[i] = tostring(object:key()) end
        return table.concat(out, " ")
    end

    local function compare_answers(realm, all, rounds)
        local everything = realm:objects(CLASS)
        for round = 1, rounds do
            local conditions = random_question(all)
            local found = everything:where(conditions)
            local wanted = everything:filter(function(object) return holds(object, conditions) end)
            local a, b = keys(found:to_array()), keys(wanted:to_array())
            if a ~= b or found:count() ~= wanted:count() or everything:where(conditions):count() ~= wanted:count() then
                error(("seed %d: %s\nwhere:  %s\nfilter: %s"):format(seed, show(conditions), a, b))
            end
            local summed = all[round % #all + 1][1]
            for _, name in ipairs({ "sum", "avg", "min", "max" }) do
                local one, x = pcall(found[name], found, summed)
                local other, y = pcall(wanted[name], wanted, summed)
                assert.equal(one and tostring(x), other and tostring(y), summed .. " " .. name)
            end
        end
    end

    local function run(path, indexed, objects, rounds)
        state, gone = seed, nil
        local all = kinds()
        local realm = assert(syncline.open({ path = path, schema = make_schema(indexed) }))
        assert(realm:write(function()
            for id = 1, 3 do realm:create(TARGET, { _id = id }) end
            for id = 1, objects do
                local values = random_values(all)
                values._id = id
                realm:create(CLASS, values)
            end
        end))
        gone = 2
        assert(realm:write(function() realm:delete(realm:object(TARGET, gone)) end)) -- its links become null
        compare_answers(realm, all, rounds)
        assert(realm:write(function() -- what is not saved yet counts
            for id = 1, objects, 3 do
                local object = realm:object(CLASS, id)
                if id % 2 == 0 then realm:delete(object) else object:set(random_values(all)) end
            end
            realm:create(CLASS, { _id = objects + 1 })
            compare_answers(realm, all, rounds)
        end))
        compare_answers(realm, all, rounds)
        realm:close()
        if path ~= ":memory:" then
            realm = assert(syncline.open({ path = path, schema = make_schema(not indexed) }))
            compare_answers(realm, all, rounds)
            realm:close()
        end
    end

    it("is what a filter finds, in memory", function()
        for _ = 1, 2 do
            run(":memory:", true, 40, 60)
            seed = seed + 1
        end
    end)

    it("is what a filter finds, in a file, with indexes and without", function()
        for round = 1, 3 do
            local path = process.path()
            run(path, round % 2 == 0, 40, 60)
            for _, suffix in ipairs({ "", "-wal", "-shm", ".lock" }) do os.remove(path .. suffix) end
            seed = seed + 1
        end
    end)
end)
