-- The objects of a class, all or some of them, in an order.

local core = require("syncline.core")

local object_methods = core.realm.object -- called as functions: a property may have the name of a method

---@class syncline.Results
---@field realm syncline.Realm
---@field class string
local Results = {}
local methods = {}

local NO_QUERY = { conditions = {}, orders = {} }

-- `query`: conditions and orders that the core evaluates; `refine`: function from the array of its
-- objects to another, or nil; `arranged`: refine puts them into an order of its own.
local function new(realm, class, query, refine, arranged)
    return setmetatable({
        realm = realm, class = class, query = query or NO_QUERY, refine = refine, arranged = arranged or false,
    }, Results)
end

local function is_plain(query)
    return query.conditions[1] == nil and query.orders[1] == nil
end

local function fetch(self, limit)
    local handle, class, query = rawget(self, "realm").handle, rawget(self, "class"), rawget(self, "query")
    if is_plain(query) and not limit then return handle:objects(class) end
    return handle:query(class, query.conditions, query.orders, limit)
end

-- The array that is remembered, if it is still right. Objects coming and going raise the generation; a
-- write also changes properties, at which queries, filters and orders look, so those are computed anew
-- as long as it is open.
local function remembered(self)
    local handle = rawget(self, "realm").handle
    local cached = rawget(self, "cached")
    if not cached or rawget(self, "generation") ~= handle:generation() then return nil end
    local fixed = is_plain(rawget(self, "query")) and not rawget(self, "refine")
    return (fixed or not handle:writing()) and cached or nil
end

-- The array of objects as of now.
local function list(self)
    local objects = remembered(self)
    if objects then return objects end
    local generation = rawget(self, "realm").handle:generation()
    local refine = rawget(self, "refine")
    objects = fetch(self)
    if refine then objects = refine(objects) end
    rawset(self, "cached", objects)
    rawset(self, "generation", generation)
    return objects
end

---How many objects there are. `#results` says the same where Lua allows it for tables (5.3 and later).
---Without a filter no object is loaded for it.
---@return integer
function methods:count()
    local objects = remembered(self)
    if objects or rawget(self, "refine") then return #(objects or list(self)) end
    local handle, class, query = rawget(self, "realm").handle, rawget(self, "class"), rawget(self, "query")
    if is_plain(query) then return handle:count(class) end
    return handle:query_count(class, query.conditions)
end

---The object at a position, 1 to count(); nil beyond.
---@param position integer
---@return syncline.Object|nil
function methods:at(position)
    return list(self)[position]
end

---@return syncline.Object|nil
function methods:first()
    local objects = remembered(self)
    if objects or rawget(self, "refine") then return (objects or list(self))[1] end
    return fetch(self, 1)[1]
end

---@return syncline.Object|nil
function methods:last()
    local objects = list(self)
    return objects[#objects]
end

---Iterates: `for object in results:each() do`. Objects that are deleted on the way are left out,
---new ones do not join.
---@return fun(): syncline.Object|nil
function methods:each()
    local objects, position = list(self), 0
    return function()
        local object
        repeat
            position = position + 1
            object = objects[position]
        until object == nil or object_methods.is_valid(object)
        return object
    end
end

---A new array of the objects.
---@return syncline.Object[]
function methods:to_array()
    local out = {}
    for i, object in ipairs(list(self)) do out[i] = object end
    return out
end

-- ---- conditions ------------------------------------------------------------------------------------

local TESTS = {
    ["="] = 1, ["~="] = 1, ["<"] = 1, ["<="] = 1, [">"] = 1, [">="] = 1, between = 2, ["in"] = 1,
    begins_with = 1, ends_with = 1, contains = 1,
}
local TEST_LIST = "=, ~=, <, <=, >, >=, between, in, begins_with, ends_with, contains"

-- { test, value, ... } as the core wants it.
local function read_test(property, spec)
    local test = spec[1]
    if not TESTS[test] then
        error(("where: property '%s': there is no test '%s' (there are %s)"):format(property, tostring(test), TEST_LIST), 4)
    end
    local values, count = { spec[2], spec[3] }, TESTS[test]
    if test == "in" then
        local from = spec[2]
        if type(from) ~= "table" or getmetatable(from) == Results then
            error(("where: property '%s': 'in' takes a list of values: { \"in\", { a, b } }"):format(property), 4)
        end
        values, count = {}, #from
        for i = 1, count do values[i] = from[i] end
    end
    return { property = property, test = test, values = values, count = count }
end

local function read_conditions(conditions, out)
    if type(conditions) ~= "table" then
        error("where: a table of conditions expected, such as { name = \"Ann\", age = { \">=\", 18 } }", 3)
    end
    local before = #out
    for property, spec in pairs(conditions) do
        if type(property) ~= "string" then error("where: conditions are given by the name of a property", 3) end
        if type(spec) ~= "table" then
            out[#out + 1] = { property = property, test = "=", values = { spec }, count = 1 }
        elseif type(spec[1]) == "table" then
            for _, test in ipairs(spec) do out[#out + 1] = read_test(property, test) end
        else
            out[#out + 1] = read_test(property, spec)
        end
    end
    if #out == before then
        error("where: at least one condition is needed; for null write syncline.null, a nil vanishes from the table", 3)
    end
end

local function copy(array)
    local out = {}
    for i, value in ipairs(array) do out[i] = value end
    return out
end

local function with_query(self, conditions, orders)
    local realm, class = rawget(self, "realm"), rawget(self, "class")
    local ok, problem = pcall(realm.handle.query_check, realm.handle, class, conditions, orders)
    if not ok then
        if type(problem) == "string" then problem = problem:gsub("^[^\n]-:%d+: ", "") end
        error(problem, 3)
    end
    return new(realm, class, { conditions = conditions, orders = orders }, rawget(self, "refine"), rawget(self, "arranged"))
end

---The objects whose properties have certain values. This is much faster than `filter`, because no object
---is loaded to find out, and an index is used where there is one.
---
---`conditions` has a value for each property, `{ name = "Ann", city = home }`, or a test:
---`{ age = { ">=", 18 } }`, or several: `{ age = { { ">=", 18 }, { "<", 65 } } }`. The tests are `=`, `~=`,
---`<`, `<=`, `>`, `>=`, `{ "between", low, high }` (both included), `{ "in", { a, b, c } }`, and
---`begins_with`, `ends_with`, `contains` for strings and binaries. All conditions must hold. For null
---write `syncline.null`. Raises an error for what does not fit the schema.
---@param conditions table
---@return syncline.Results
function methods:where(conditions)
    local query = rawget(self, "query")
    local all = copy(query.conditions)
    read_conditions(conditions, all)
    local out = with_query(self, all, query.orders) -- no tail call: errors name the caller
    return out
end

---The objects for which `predicate(object)` is true.
---@param predicate fun(object: syncline.Object): boolean
---@return syncline.Results
function methods:filter(predicate)
    local before = rawget(self, "refine")
    return new(rawget(self, "realm"), rawget(self, "class"), rawget(self, "query"), function(objects)
        if before then objects = before(objects) end
        local out = {}
        for _, object in ipairs(objects) do
            if predicate(object) then out[#out + 1] = object end
        end
        return out
    end, rawget(self, "arranged"))
end

local RANK = { ["nil"] = 0, boolean = 1, number = 2, string = 3, userdata = 4 }

local function less(a, b)
    local rank_a, rank_b = RANK[type(a)] or 5, RANK[type(b)] or 5
    if rank_a ~= rank_b then return rank_a < rank_b end
    if rank_a == 0 then return false end
    if rank_a == 1 then return not a and b end
    return a < b
end

local function sorted_by_function(self, compare, descending)
    local before = rawget(self, "refine")
    return new(rawget(self, "realm"), rawget(self, "class"), rawget(self, "query"), function(objects)
        if before then objects = before(objects) end
        local order, out = {}, {}
        for i, object in ipairs(objects) do order[i] = { object, i } end
        table.sort(order, function(x, y)
            if descending then
                if compare(y[1], x[1]) then return true end
                if compare(x[1], y[1]) then return false end
            else
                if compare(x[1], y[1]) then return true end
                if compare(y[1], x[1]) then return false end
            end
            return x[2] < y[2]
        end)
        for i, pair in ipairs(order) do out[i] = pair[1] end
        return out
    end, true)
end

---In the order of a property, nulls first, or as `compare(a, b)` says; equal ones keep their order.
---@param by string|fun(a: syncline.Object, b: syncline.Object): boolean
---@param descending boolean|nil
---@return syncline.Results
function methods:sorted(by, descending)
    if type(by) ~= "string" then return sorted_by_function(self, by, descending) end
    if rawget(self, "arranged") then
        local get = object_methods.get
        return sorted_by_function(self, function(a, b) return less(get(a, by), get(b, by)) end, descending)
    end
    local query = rawget(self, "query")
    local orders = { { property = by, descending = descending and true or false } }
    for _, order in ipairs(query.orders) do orders[#orders + 1] = order end
    local out = with_query(self, query.conditions, orders)
    return out
end

---The first object for which `predicate(object)` is true.
---@param predicate fun(object: syncline.Object): boolean
---@return syncline.Object|nil
function methods:find(predicate)
    for object in self:each() do
        if predicate(object) then return object end
    end
    return nil
end

---Calls `fn(results, changes)` after every commit and integrated download that touched the class:
---`changes.inserted` and `changes.modified` are arrays of objects, `changes.deleted` of keys.
---@param fn fun(results: syncline.Results, changes: table)
---@return syncline.Observer
function methods:observe(fn)
    local class = rawget(self, "class")
    return rawget(self, "realm"):observe(function(realm, changes)
        local touched = changes[class]
        if not touched then return end
        local handle, out = realm.handle, { inserted = {}, modified = {}, deleted = touched.deleted }
        for _, key in ipairs(touched.inserted) do out.inserted[#out.inserted + 1] = handle:object(class, key) end
        for _, change in ipairs(touched.modified) do
            out.modified[#out.modified + 1] = handle:object(class, change.key)
        end
        fn(self, out)
    end)
end

function Results.__index(self, key)
    if type(key) == "number" then return list(self)[key] end
    return methods[key]
end

Results.__len = methods.count

function Results.__tostring(self)
    return ("syncline.results of %s"):format(rawget(self, "class"))
end

return { new = new, null = core.null }
