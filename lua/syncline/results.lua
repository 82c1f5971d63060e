-- The objects of a class, all or some of them, in an order. Results hold no objects but keys, and those only while
-- nobody has written; so results are userdata (csrc/lua/results.c says why) around a table of fields:
--   realm, class
--   query     conditions and orders that the core evaluates
--   filters   predicates that are asked about what the query finds
--   sorters   functions and properties that put the rest in order, in the order of use, if any
--   keys      what the query has found, or, with filters or sorters, `objects` what was left, at `generation`

local core = require("syncline.core")
local aggregate = require("syncline.aggregate")
local check = require("syncline.check")
local observers = require("syncline.observers")

local object_methods = core.realm.object -- called as functions: a property may have the name of a method

---@class syncline.Results
---@field realm syncline.Realm
---@field class string
local Results = core.realm.results_meta
local methods = {}

local NO_QUERY, NONE = { conditions = {}, orders = {} }, {}

local function new(realm, class, query, filters, sorters)
    return core.realm.results({
        realm = realm, class = class, query = query or NO_QUERY, filters = filters or NONE, sorters = sorters or NONE,
    })
end

local function fields(self, method)
    return core.realm.fields(self) or check.fail("results:%s: results expected; call it with a colon", method)
end

local function is_all(f)
    return f.query.conditions[1] == nil and f.query.orders[1] == nil
end

local function is_refined(f)
    return f.filters[1] ~= nil or f.sorters[1] ~= nil
end

-- ---- what was found ---------------------------------------------------------------------------------

local function fetch(f, limit)
    local handle, class, query = f.realm.handle, f.class, f.query
    if is_all(f) and not limit then return handle:objects(class) end
    return handle:query(class, query.conditions, query.orders, limit)
end

-- What is remembered is right until objects come or go, which raises the generation; a write also changes
-- properties, at which queries, filters and orders look, so as long as it is open only plain results are.
local function is_remembered(f)
    local handle = f.realm.handle
    if not (f.keys or f.objects) or f.generation ~= handle:generation() then return false end
    return (is_all(f) and not is_refined(f)) or not handle:writing()
end

local function apply_filters(objects, filters)
    for _, predicate in ipairs(filters) do
        local kept = {}
        for _, object in ipairs(objects) do
            if predicate(object) then kept[#kept + 1] = object end
        end
        objects = kept
    end
    return objects
end

local RANK = { ["nil"] = 0, boolean = 1, number = 2, string = 3, userdata = 4 }

local function less(a, b)
    local rank_a, rank_b = RANK[type(a)] or 5, RANK[type(b)] or 5
    if rank_a ~= rank_b then return rank_a < rank_b end
    if rank_a == 0 then return false end
    if rank_a == 1 then return not a and b end
    return a < b
end

local function sort_by(objects, sorter)
    local compare, descending, order, out = sorter.compare, sorter.descending, {}, {}
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
end

local function apply_sorters(objects, sorters)
    for _, sorter in ipairs(sorters) do objects = sort_by(objects, sorter) end
    return objects
end

-- The fields, with `keys` or `objects` as of now.
local function found(f)
    if is_remembered(f) then return f end
    local generation = f.realm.handle:generation()
    f.keys, f.objects = nil, nil
    local keys = fetch(f)
    if is_refined(f) then
        f.objects = apply_sorters(apply_filters(keys:objects(), f.filters), f.sorters)
    else
        f.keys = keys
    end
    f.generation = generation
    return f
end

---How many objects there are; `#results` says the same. Without a filter no object is loaded for it.
---@return integer
function methods:count(...)
    if select("#", ...) > 0 then
        check.fail("results:count takes no argument; where{ NAME = { \"~=\", syncline.null } }:count() counts what has a value")
    end
    local f = fields(self, "count")
    if not is_remembered(f) and not is_refined(f) then
        if is_all(f) then return f.realm.handle:count(f.class) end
        return f.realm.handle:query_count(f.class, f.query.conditions)
    end
    found(f)
    return f.objects and #f.objects or f.keys:count()
end

-- The object at a position of all objects without listing them; asked for another one, the list is made.
local function probe(f, position)
    local handle = f.realm.handle
    local generation = handle:generation()
    if is_refined(f) or not is_all(f) or handle:writing() or f.probed == generation then return nil, false end
    f.probed = generation
    if type(position) == "number" and position < 1 then return nil, true end
    return handle:nth(f.class, position), true
end

---The object at a position, 1 to count(); nil beyond. `results[position]` is the same.
---@param position integer
---@return syncline.Object|nil
function methods:at(position)
    local f = fields(self, "at")
    check.argument("results:at", position, "number|userdata")
    if not is_remembered(f) then
        local object, is_known = probe(f, position)
        if is_known then return object end
    end
    found(f)
    if f.objects then return f.objects[position] end
    return f.keys:at(position)
end

---The first object, or nil if there is none.
---@return syncline.Object|nil
function methods:first()
    local f = fields(self, "first")
    if is_remembered(f) or is_refined(f) then return self:at(1) end
    if is_all(f) then return f.realm.handle:nth(f.class, 1) end
    return fetch(f, 1):at(1)
end

---The last object, or nil if there is none.
---@return syncline.Object|nil
function methods:last()
    local f = fields(self, "last")
    if not is_remembered(f) and is_all(f) and not is_refined(f) then return f.realm.handle:nth(f.class, -1) end
    found(f)
    if f.objects then return f.objects[#f.objects] end
    return f.keys:at(f.keys:count())
end

local function walk(objects, numbered)
    local position = 0
    return function()
        local object
        repeat
            position = position + 1
            object = objects[position]
        until object == nil or object_methods.is_valid(object)
        if numbered and object then return position, object end
        return object
    end
end

---Iterates: `for object in results:each() do`. Objects that are deleted on the way are left out,
---new ones do not join. Where Lua asks results how they are walked over (5.3 and later),
---`for position, object in pairs(results)` and `ipairs(results)` go over the same objects; on Lua 5.1 and
---LuaJIT these two raise an error.
---@return fun(): syncline.Object|nil
function methods:each()
    local f = found(fields(self, "each"))
    return f.objects and walk(f.objects) or f.keys:each()
end

---As `results:each`, with positions: `for position, object in results:iter() do`, on every Lua.
---@return fun(): integer|nil, syncline.Object|nil
function methods:iter()
    local f = found(fields(self, "iter"))
    return f.objects and walk(f.objects, true) or f.keys:each(true)
end

---A new array of the objects.
---@return syncline.Object[]
function methods:to_array()
    local f = found(fields(self, "to_array"))
    if not f.objects then return f.keys:objects() end
    local out = {}
    for i, object in ipairs(f.objects) do out[i] = object end
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
        check.fail("where: property '%s': there is no test '%s' (there are %s)", property, tostring(test), TEST_LIST)
    end
    local values, count = { spec[2], spec[3] }, TESTS[test]
    if test == "in" then
        local from = spec[2]
        if type(from) ~= "table" then
            check.fail("where: property '%s': 'in' takes a list of values: { \"in\", { a, b } }", property)
        end
        values, count = {}, #from
        for i = 1, count do values[i] = from[i] end
    end
    return { property = property, test = test, values = values, count = count }
end

local function read_conditions(conditions, out)
    if type(conditions) ~= "table" then
        check.fail("where: a table of conditions expected, such as { name = \"Ann\", age = { \">=\", 18 } }")
    end
    local before = #out
    for property, spec in pairs(conditions) do
        if type(property) ~= "string" then check.fail("where: conditions are given by the name of a property") end
        if type(spec) ~= "table" then
            out[#out + 1] = { property = property, test = "=", values = { spec }, count = 1 }
        elseif type(spec[1]) == "table" then
            for _, test in ipairs(spec) do out[#out + 1] = read_test(property, test) end
        else
            out[#out + 1] = read_test(property, spec)
        end
    end
    if #out == before then
        check.fail("where: at least one condition is needed; for null write syncline.null, a nil vanishes from the table")
    end
end

local function copy(array)
    local out = {}
    for i, value in ipairs(array) do out[i] = value end
    return out
end

local function with_query(self, conditions, orders)
    local f = fields(self, "where")
    local ok, problem = pcall(f.realm.handle.query_check, f.realm.handle, f.class, conditions, orders)
    if not ok then
        if type(problem) == "string" then problem = problem:gsub("^[^\n]-:%d+: ", "") end
        check.raise(problem)
    end
    return new(f.realm, f.class, { conditions = conditions, orders = orders }, f.filters, f.sorters)
end

local function append(list, item)
    local out = copy(list)
    out[#out + 1] = item
    return out
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
    local query = fields(self, "where").query
    local all = copy(query.conditions)
    read_conditions(conditions, all)
    local out = with_query(self, all, query.orders) -- no tail call: errors name the caller
    return out
end

---The objects for which `predicate(object)` is true. It should look at nothing but the object and what that links
---to: results are asked for anew after writes, and observers are told of writes.
---@param predicate fun(object: syncline.Object): boolean
---@return syncline.Results
function methods:filter(predicate)
    local f = fields(self, "filter")
    check.argument("results:filter", predicate, "function")
    return new(f.realm, f.class, f.query, append(f.filters, predicate), f.sorters)
end

-- nil and false are arguments as well, and a nil in the middle ends no list.
local function pack(...)
    local args = { ... }
    local count = select("#", ...)
    for i = 1, count do
        if args[i] == nil then args[i] = core.null end
    end
    return args, count
end

---The objects that fulfil a query in the query language of the Realm SDKs, such as
---`results:filtered("done == false AND owner.name BEGINSWITH[c] $0 SORT(priority DESC)", "a")`.
---
---`...` are the values of `$0`, `$1`, ...; a table is a list, for `IN`; nil and `syncline.null` are null. Paths lead
---over links and into embedded objects, collections take `ANY`, `ALL` and `NONE`; the whole language is in the guide.
---Raises an error for a text that is no query, with the place, what stands there and what was expected, and for names
---and values that do not fit the schema. `SORT` by properties of the object itself; `LIMIT` and `DISTINCT` are refused.
---Objects are loaded to be asked, as with `filter`; where an index can answer, put `where` before it.
---@param query string
---@param ... any
---@return syncline.Results
function methods:filtered(query, ...)
    local f = fields(self, "filtered")
    check.argument("results:filtered", query, "string")
    local args, count = pack(...)
    local ok, predicate = pcall(f.realm.handle.predicate, f.realm.handle, f.class, query, args, count)
    if not ok then
        local problem = predicate
        if type(problem) == "string" then problem = problem:gsub("^[^\n]-:%d+: ", "") end
        check.raise(problem)
    end
    local orders, obstacle = predicate:orders()
    if not orders then check.fail("results:filtered: results know no %s yet; sort and cut what is found", obstacle) end
    local out = new(f.realm, f.class, f.query, append(f.filters, function(object) return predicate:holds(object) end),
        f.sorters)
    for i = #orders, 1, -1 do out = out:sorted(orders[i].property, orders[i].descending) end
    return out
end

---In the order of a property, nulls first, or as `compare(a, b)` says; equal ones keep their order.
---@param by string|fun(a: syncline.Object, b: syncline.Object): boolean
---@param descending boolean|nil
---@return syncline.Results
function methods:sorted(by, descending)
    local f = fields(self, "sorted")
    check.argument("results:sorted", by, "string|function")
    local compare = by
    if type(by) == "string" then
        if not f.sorters[1] then
            local orders = { { property = by, descending = descending and true or false } }
            for _, order in ipairs(f.query.orders) do orders[#orders + 1] = order end
            local out = with_query(self, f.query.conditions, orders)
            return out
        end
        local get = object_methods.get
        compare = function(a, b) return less(get(a, by), get(b, by)) end
    end
    local sorter = { compare = compare, descending = descending and true or false }
    return new(f.realm, f.class, f.query, f.filters, append(f.sorters, sorter))
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

-- ---- sums -------------------------------------------------------------------------------------------

local function compute(self, name, property)
    local f, what = fields(self, name), "results:" .. name
    check.argument(what, property, "string")
    local handle = f.realm.handle
    if is_refined(f) then
        local out = aggregate.choose(name, what, handle:aggregate_objects(f.class, found(f).objects, property))
        return out
    end
    local out = aggregate.choose(name, what, handle:aggregate(f.class, f.query.conditions, nil, property))
    return out
end

---The sum of a property with numbers, without loading objects; null is left out, nothing gives 0. An int if all
---are ints; raises an error if it does not fit into 64 bits, and for decimals, which are not summed.
---@param property string
---@return number
function methods:sum(property)
    return compute(self, "sum", property)
end

---The average of the numbers of a property that are not null, as a float; nil if there are none.
---@param property string
---@return number|nil
function methods:avg(property)
    return compute(self, "avg", property)
end

---The least number or the earliest timestamp of a property, null and NaN left out; nil if there is none.
---@param property string
---@return any
function methods:min(property)
    return compute(self, "min", property)
end

---The greatest number or the latest timestamp of a property; nil if there is none.
---@param property string
---@return any
function methods:max(property)
    return compute(self, "max", property)
end

-- ---- observing --------------------------------------------------------------------------------------

local function describe(value)
    local text = tostring(value)
    return ("%s %d %s"):format(type(value) == "userdata" and core.realm.kind(value) or core.typeof(value), #text, text)
end

-- Equal for results that ask the same question.
local function id_of(f)
    if is_refined(f) then return f end
    local parts = {}
    for _, condition in ipairs(f.query.conditions) do
        local part = { condition.property, condition.test }
        for i = 1, condition.count do part[#part + 1] = describe(condition.values[i]) end
        parts[#parts + 1] = table.concat(part, "\0")
    end
    table.sort(parts)
    for _, order in ipairs(f.query.orders) do
        parts[#parts + 1] = ("%s\0%s"):format(order.property, order.descending and "down" or "up")
    end
    return f.class .. "\0" .. table.concat(parts, "\1")
end

local function make_live(f)
    local query, filters, ask = f.query, f.filters, nil
    if filters[1] then
        ask = function(object)
            for _, predicate in ipairs(filters) do
                if not predicate(object) then return false end
            end
            return true
        end
    end
    if not f.sorters[1] then return f.realm.handle:live(f.class, query.conditions, query.orders, ask) end
    local unordered = new(f.realm, f.class, query, filters)
    return f.realm.handle:live(f.class, query.conditions, query.orders, ask), function()
        return unordered:to_array()
    end, function(objects)
        return apply_sorters(objects, f.sorters)
    end
end

---Calls `fn(results, changes)` once at first, and after every commit and integrated download that changed
---what these results are: an object came or went, has another place, or was modified. `changes` has four arrays
---of ascending positions:
---
---- `deletions`: where objects were that are no longer there;
---- `insertions`: where objects are that were not there;
---- `modifications`: where objects are that were modified and stayed in place, and `old_modifications`: where they were.
---
---An object that moved in the order counts as deleted and inserted. Removing the deletions from a copy of the old
---list, the last one first, and then putting in the insertions, the first one first, gives the present list.
---In the first call all four are empty.
---
---Every observer is told everything once, in the order in which it happened. What an observer writes is told after
---the round, in which nobody is called inside of another one. Observing inside of a write gets its first call
---after it.
---@param fn fun(results: syncline.Results, changes: table)
---@return syncline.Observer
function methods:observe(fn)
    local f = fields(self, "observe")
    local out = observers.of_results(f.realm, self, id_of(f), function() return make_live(f) end, fn)
    return out
end

-- ---- metamethods ------------------------------------------------------------------------------------

local VISIBLE = { realm = true, class = true }

function Results.__index(self, key)
    local method = methods[key]
    if method then return method end
    if type(key) == "number" then return methods.at(self, key) end
    if VISIBLE[key] then return fields(self, key)[key] end
    check.fail("results have no '%s'%s", tostring(key), check.hint(key, methods))
end

function Results.__newindex()
    check.fail("results cannot be changed: write to the objects, inside realm:write")
end

function Results.__len(self) return methods.count(self) end
Results.__pairs = methods.iter

function Results.__tostring(self)
    return ("syncline.results of %s"):format(fields(self, "class").class)
end

Results.__metatable = false

return { new = new, null = core.null }
