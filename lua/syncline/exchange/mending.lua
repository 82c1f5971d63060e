-- What MongoDB allows and a realm does not: links to documents that are not there, required members that are missing.

local core = require("syncline.core")

---@class syncline.exchange.Mending
---@field links integer links that were left out so far
---@field members integer members that were missing so far
local Mending = {}
Mending.__index = Mending

local KEY_TYPES = { int = true, string = true, objectid = true, uuid = true }
local NULL = core.null

---@param realm syncline.Realm
---@param warn fun(text: string)|nil
---@return syncline.exchange.Mending
function Mending.new(realm, warn)
    return setmetatable({
        handle = realm.handle, classes = realm:present_classes(), warn = warn or function() end, plans = {}, links = 0, members = 0,
    }, Mending)
end

local function is_null(value)
    return value == nil or value == NULL
end

-- Which properties of a class have to be looked at: those that may hold links, and those that must have a value.
function Mending:plan(class)
    local plan = self.plans[class.name]
    if plan then return plan end
    plan = { linked = {}, required = {} }
    for _, property in ipairs(class.properties) do
        if property.target or property.type == "mixed" then
            table.insert(plan.linked, property)
        elseif property.collection == "single" and not property.nullable and property.default == nil then
            table.insert(plan.required, property)
        end
    end
    self.plans[class.name] = plan
    return plan
end

function Mending:tell(kind, name, text, ...)
    self[kind] = self[kind] + 1
    self.warn(("%s%s: '%s' %s"):format(self.where, self.key and (" (%s)"):format(tostring(self.key)) or "", name, text:format(...)))
end

-- What becomes of a required member that is not there depends on its type alone.
local function emptiness(property)
    local kind = property.type
    if kind == "string" or kind == "binary" then return "is empty" end
    if kind == "bool" then return "is false" end
    return kind == "objectid" and "is all zeros" or kind == "uuid" and "is all zeros" or kind == "timestamp" and "is 1970-01-01" or "is 0"
end

-- The object with a key, or nil. A key that no object of the class can have is an error of the document.
function Mending:find(class_name, key, name)
    if not self.classes[class_name] then return nil end
    local ok, object = pcall(self.handle.object, self.handle, class_name, key)
    if ok then return object end
    if type(object) == "table" then error(object, 0) end
    error(("'%s' links to %s: %s"):format(name, class_name, object:match("%((.*)%)$") or object), 0)
end

-- The object that a link or a bare key stands for. One that is not there leaves the value as it is, in the last round
-- null instead.
function Mending:link(class_name, value, name)
    local key, kind = value, core.typeof(value)
    if kind == "link" then
        class_name, key = value.class, value.key
    elseif not class_name or not KEY_TYPES[kind or ""] then
        return value
    end
    local object = self:find(class_name, key, name)
    if object then return object end
    self.open = true
    if not self.last then return value end
    self:tell("links", name, "links to %s %s, which does not exist: left out", class_name, tostring(key))
    return NULL
end

function Mending:mixed(value, name)
    if type(value) ~= "table" then return self:link(nil, value, name) end
    for at, element in pairs(value) do value[at] = self:mixed(element, name) end
    return value
end

function Mending:value(property, value, name)
    if value == NULL then return value end
    if property.type == "mixed" then return self:mixed(value, name) end
    if type(value) ~= "table" then return property.embedded and value or self:link(property.target, value, name) end
    self:members_of(self.classes[property.target], value, name .. ".")
    return value
end

-- Lists and sets of links hold no null.
function Mending:elements(property, values, name)
    local count = 0
    for at = 1, #values do
        local value = self:value(property, values[at], name)
        if value == NULL and values[at] == NULL and not property.embedded then
            self:tell("links", name, "has a null: left out")
        end
        values[at] = nil
        if value ~= NULL or property.embedded then
            count = count + 1
            values[count] = value
        end
    end
end

function Mending:property(property, value, name)
    if property.collection == "single" then return self:value(property, value, name) end
    if type(value) ~= "table" then return value end
    if property.collection ~= "dictionary" and property.type == "link" then
        self:elements(property, value, name)
    else
        for at, element in pairs(value) do value[at] = self:value(property, element, name) end
    end
    return value
end

function Mending:members_of(class, values, prefix)
    local plan = self:plan(class)
    for _, property in ipairs(plan.linked) do
        local value = values[property.name]
        if not is_null(value) then values[property.name] = self:property(property, value, prefix .. property.name) end
    end
    if not self.last then self:require(plan, values, prefix) end
end

function Mending:require(plan, values, prefix)
    if self.partial then return end
    for _, property in ipairs(plan.required) do
        if is_null(values[property.name]) then
            self:tell("members", prefix .. property.name, "is required and %s: it %s now",
                values[property.name] == nil and "missing" or "null", emptiness(property))
            values[property.name] = nil
        end
    end
end

---Prepares the values of a new object. Properties with links to objects that are not there yet are taken out of it
---and returned, as a table, or nil.
---@param class table
---@param values table
---@param where string
---@param partial boolean members that are missing shall stay as they are
---@return table|nil later
function Mending:first(class, values, where, partial)
    local plan, later = self:plan(class), nil
    self.where, self.key, self.partial, self.last = where, class.key and values[class.key.name], partial, false
    for _, property in ipairs(plan.linked) do
        local name = property.name
        local value = values[name]
        if not is_null(value) then
            self.open = false
            values[name] = self:property(property, value, name)
            if self.open then
                later = later or {}
                later[name], values[name] = values[name], nil
            end
        end
    end
    self:require(plan, values, "")
    return later
end

---Prepares what `first` has returned, when all objects are there.
---@param class table
---@param values table
---@param where string
---@param key any
---@return table values
function Mending:rest(class, values, where, key)
    self.where, self.key, self.last = where, key, true
    for _, property in ipairs(self:plan(class).linked) do
        local name = property.name
        if values[name] ~= nil then values[name] = self:property(property, values[name], name) end
    end
    return values
end

return Mending
