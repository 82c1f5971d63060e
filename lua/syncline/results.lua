-- The objects of a class, all or some of them, in an order.

local core = require("syncline.core")

---@class syncline.Results
---@field realm syncline.Realm
---@field class string
local Results = {}
local methods = {}

local function new(realm, class, refine)
    return setmetatable({ realm = realm, class = class, refine = refine }, Results)
end

-- The array of objects as of now; remembered until objects may have come or gone. A filter or order
-- looks at properties, so those are computed anew after every change as well.
local function list(self)
    local handle = rawget(self, "realm").handle
    local generation = handle:generation()
    local refine = rawget(self, "refine")
    local cached = rawget(self, "cached")
    if cached and rawget(self, "generation") == generation and not (refine and handle:writing()) then return cached end
    local objects = handle:objects(rawget(self, "class"))
    if refine then objects = refine(objects) end
    rawset(self, "cached", objects)
    rawset(self, "generation", generation)
    return objects
end

---How many objects there are. `#results` says the same where Lua allows it for tables (5.3 and later).
---@return integer
function methods:count()
    local refine = rawget(self, "refine")
    if not refine then return rawget(self, "realm").handle:count(rawget(self, "class")) end
    return #list(self)
end

---The object at a position, 1 to count(); nil beyond.
---@param position integer
---@return syncline.Object|nil
function methods:at(position)
    return list(self)[position]
end

---@return syncline.Object|nil
function methods:first()
    return list(self)[1]
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
        until object == nil or object:is_valid()
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

---The objects for which `predicate(object)` is true.
---@param predicate fun(object: syncline.Object): boolean
---@return syncline.Results
function methods:filter(predicate)
    local before = rawget(self, "refine")
    return new(rawget(self, "realm"), rawget(self, "class"), function(objects)
        if before then objects = before(objects) end
        local out = {}
        for _, object in ipairs(objects) do
            if predicate(object) then out[#out + 1] = object end
        end
        return out
    end)
end

local RANK = { ["nil"] = 0, boolean = 1, number = 2, string = 3, userdata = 4 }

local function less(a, b)
    local rank_a, rank_b = RANK[type(a)] or 5, RANK[type(b)] or 5
    if rank_a ~= rank_b then return rank_a < rank_b end
    if rank_a == 0 then return false end
    if rank_a == 1 then return not a and b end
    return a < b
end

---In the order of a property, nulls first, or as `compare(a, b)` says; equal ones keep their order.
---@param by string|fun(a: syncline.Object, b: syncline.Object): boolean
---@param descending boolean|nil
---@return syncline.Results
function methods:sorted(by, descending)
    local before = rawget(self, "refine")
    local compare = by
    if type(by) == "string" then
        compare = function(a, b) return less(a:get(by), b:get(by)) end
    end
    return new(rawget(self, "realm"), rawget(self, "class"), function(objects)
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
    end)
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
