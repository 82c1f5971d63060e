-- Writing Lua tables into a realm: embedded objects, collections, nested collections in Mixed values,
-- and new objects on the way. The core writes plain values itself and calls these functions for the
-- rest. Orders of writes follow what SDKs record (protocol/2-changeset.md, 12.5 and 12.6).

local check = require("syncline.check")
local core = require("syncline.core")

local assign = {}

-- Methods of objects. They are never called as object:method(...): a property of that name comes first.
local object_methods = core.realm.object

local LIST, DICTIONARY = { __ejson = "list" }, { __ejson = "dictionary" }
assign.LIST, assign.DICTIONARY = LIST, DICTIONARY

local function is_proxy(value)
    return type(value) == "userdata" and value ~= core.null and core.realm.kind(value) or nil
end

-- "list", "dictionary" or nil: what a value becomes in a Mixed.
local function shape(value)
    local kind = is_proxy(value)
    if kind == "list" or kind == "set" then return "list" end
    if kind == "dictionary" then return "dictionary" end
    if type(value) ~= "table" then return nil end
    local mark = getmetatable(value)
    if mark == DICTIONARY then return "dictionary" end
    if mark == LIST or value[1] ~= nil or next(value) == nil then return "list" end
    return "dictionary"
end

local function elements(value, what)
    if is_proxy(value) then
        local out = {}
        for _, element in value:each() do out[#out + 1] = element end
        return out
    end
    if type(value) ~= "table" then check.fail("%s: a table expected, got %s", what, type(value)) end
    for key in pairs(value) do
        if type(key) ~= "number" then
            check.fail("%s: a list of values expected, got a table with the key '%s'", what, tostring(key))
        end
    end
    return value
end

local function entries(value, what)
    local out = {}
    if is_proxy(value) then
        for key, element in value:each() do out[key] = element end
        return out
    end
    if type(value) ~= "table" then check.fail("%s: a table expected, got %s", what, type(value)) end
    for key in pairs(value) do
        if type(key) ~= "string" then check.fail("%s: keys must be strings, got a %s", what, type(key)) end
    end
    return value
end

local function sorted_keys(map)
    local keys = {}
    for key in pairs(map) do keys[#keys + 1] = key end
    table.sort(keys)
    return keys
end

local function realm_of(object)
    return object_methods.anchor(object).realm
end

local fill_object, fill_list, fill_dictionary

-- An object of a link from what was given: an object, or a table with the values of a new one.
local function linked_object(realm, target, value, policy)
    if type(value) ~= "table" then return value end
    return realm:create(target, value, policy or "modified")
end

-- What the core stores without help: everything but tables, collections and embedded objects.
local function is_plain(value)
    local kind = is_proxy(value)
    return type(value) ~= "table" and (not kind or kind == "object" and not object_methods.is_embedded(value))
end

-- Puts what belongs into a place that `make` prepares: make(kind) returns the proxy of a new embedded
-- object, list or dictionary there; put(value) stores a plain value. A place that is `fresh`, an element
-- just inserted or something inside of one, can hold nothing yet: no Clear is recorded for it, because the
-- merge does not move the Clear of an element when others insert or erase elements before it.
local function store(realm, element, value, policy, make, put, fresh)
    if element.embedded then
        if value == nil or value == core.null then return put(core.null) end
        return fill_object(realm, make("object"), element.target, value, true, policy)
    end
    if element.type == "link" then return put(linked_object(realm, element.target, value, policy)) end
    local kind = element.type == "mixed" and shape(value)
    if kind then
        if is_proxy(value) then value = assign.to_table(value) end
        local collection = make(kind)
        if not fresh then collection:clear() end
        local fill = kind == "list" and fill_list or fill_dictionary
        return fill(realm, collection, { type = "mixed" }, value, policy, fresh)
    end
    if not is_plain(value) then
        check.fail("%s expected, got a %s", element.type, is_proxy(value) or type(value))
    end
    return put(value)
end

local function element_of(collection)
    local type_name, target, embedded = collection:element_type()
    return { type = type_name, target = target, embedded = embedded }
end

local function is_null(value)
    return value == nil or value == core.null
end

local function insert(realm, list, element, position, value, policy)
    if element.embedded and is_null(value) then
        check.fail("%s: a list of embedded objects holds no null", tostring(list))
    end
    if not element.embedded and is_plain(value) then return list:insert(position, value) end
    store(realm, element, value, policy, function(kind)
        return list:insert_new(position, kind)
    end, function(plain)
        list:insert(position, plain)
    end, true)
end

function fill_list(realm, list, element, values, policy)
    local given = elements(values, tostring(list))
    local size = list:count()
    for i, value in ipairs(given) do insert(realm, list, element, size + i, value, policy) end
end

function fill_dictionary(realm, dictionary, element, values, policy, fresh)
    local given = entries(values, tostring(dictionary))
    for _, key in ipairs(sorted_keys(given)) do
        local value = given[key]
        store(realm, element, value, policy, function(kind)
            return dictionary:make(key, kind)
        end, function(plain)
            dictionary:set(key, plain)
        end, fresh)
    end
end

-- The collection as it is must become `values`.
local function replace(realm, collection, kind, property, values, policy)
    local element = { type = property.type, target = property.target, embedded = property.embedded }
    if kind == "list" then
        local given = elements(values, tostring(collection))
        if policy == "modified" and property.type ~= "mixed" and not property.embedded then
            local size = collection:count()
            for i, value in ipairs(given) do
                if i > size then
                    insert(realm, collection, element, i, value, policy)
                elseif collection[i] ~= value then
                    collection[i] = linked_object(realm, property.target, value, policy)
                end
            end
            for i = size, #given + 1, -1 do collection:remove(i) end
            return
        end
        collection:clear()
        fill_list(realm, collection, element, given, policy)
    elseif kind == "set" then
        local given = elements(values, tostring(collection))
        if policy ~= "modified" then collection:clear() end
        for _, value in ipairs(given) do collection:add(linked_object(realm, property.target, value, policy)) end
    else
        local given = entries(values, tostring(collection))
        if policy ~= "modified" then collection:clear() end
        fill_dictionary(realm, collection, element, given, policy)
    end
end

---Writes one property of an object, whatever its kind.
---@param object syncline.Object
---@param property syncline.Property
---@param value any
---@param policy string|nil
function assign.property(object, property, value, policy)
    local realm = realm_of(object)
    if property.collection ~= "single" then
        local collection = object_methods.get(object, property.name)
        if value == nil or value == core.null then return collection:clear() end
        if is_proxy(value) and value == collection then return end
        if is_proxy(value) then value = assign.to_table(value) end
        return replace(realm, collection, property.collection, property, value, policy)
    end
    if policy == "modified" and not property.embedded and type(value) ~= "table" then
        local present = object_methods.get(object, property.name)
        if present == value or present == nil and value == core.null then return end
    end
    store(realm, property, value, policy, function(kind)
        return object_methods.make(object, property.name, kind)
    end, function(plain)
        object[property.name] = plain
    end)
end

local function default_of(property)
    local default = property.default
    if type(default) == "function" then default = default() end
    return default
end

local function set_default(object, property)
    local value = default_of(property)
    if value == nil then return end
    local plain = property.collection == "single" and property.type ~= "link" and not shape(value)
    if plain then
        object_methods.set_default(object, property.name, value)
    else
        assign.property(object, property, value)
    end
end

-- Whether the core writes every value of the property, or refuses it, without help.
local function is_scalar(property)
    return property.collection == "single" and property.type ~= "link" and property.type ~= "mixed"
end

-- Writes `values` into an object that is there; a new one gets the defaults of what is not given.
function fill_object(realm, object, class_name, values, is_new, policy)
    local class = realm:present_classes()[class_name]
    if is_proxy(values) then values = assign.to_table(values) end
    if type(values) ~= "table" then
        check.fail("%s: a table of values expected, got a %s", class_name, type(values))
    end
    for name in pairs(values) do
        if not class.by_name[name] and not (class.key and class.key.name == name) then
            local names = { [class.key and class.key.name or ""] = true }
            for known in pairs(class.by_name) do names[known] = true end
            names[""] = nil
            check.fail("%s has no property '%s'%s", class_name, tostring(name), check.hint(name, names))
        end
    end
    for _, property in ipairs(class.properties) do
        local value = values[property.name]
        if value == nil then
            if is_new and property.default ~= nil then set_default(object, property) end
        elseif policy == nil and type(value) ~= "table" and is_scalar(property) then
            object[property.name] = value
        else
            assign.property(object, property, value, policy)
        end
    end
    return object
end

assign.fill_object = fill_object

---The key for a new object: the value given, or the default of the key property.
function assign.key(class, values)
    if not class.key then return nil end
    local key = values[class.key.name]
    if key == nil then key = default_of(class.key) end
    if key == nil and not class.key.nullable then
        check.fail("%s: the primary key '%s' is missing among the values", class.name, class.key.name)
    end
    return key
end

---A plain Lua copy: embedded objects and collections become tables, links syncline.link values.
---@param value any object, collection or value
---@return any
function assign.to_table(value)
    local kind = is_proxy(value)
    if not kind then return value end
    if kind == "object" then
        local out = {}
        for _, name in ipairs(object_methods.names(value)) do
            out[name] = assign.copy(object_methods.get(value, name))
        end
        return out
    elseif kind == "dictionary" then
        local out = setmetatable({}, DICTIONARY)
        for key, element in value:each() do out[key] = assign.copy(element) end
        return out
    end
    local out = setmetatable({}, LIST)
    for position, element in value:each() do out[position] = assign.copy(element) end
    return out
end

-- As to_table, but a top-level object met inside is a link.
function assign.copy(value)
    if is_proxy(value) == "object" and not object_methods.is_embedded(value) then
        return core.link(object_methods.class(value), object_methods.key(value))
    end
    return assign.to_table(value)
end

-- What the core calls for values that are no plain ones.
local list_methods, dictionary_methods = core.realm.list, core.realm.dictionary

function object_methods.__assign(object, name, value)
    local class = realm_of(object):present_classes()[object_methods.class(object)]
    assign.property(object, class.by_name[name], value)
end

-- A collection or embedded object takes the place of an element by erasing and inserting.
function list_methods.__assign(list, position, value)
    local realm, element = list:anchor().realm, element_of(list)
    if element.type == "mixed" and shape(value) then
        if is_proxy(value) then value = assign.to_table(value) end
        list:remove(position)
        return insert(realm, list, element, position, value)
    end
    store(realm, element, value, nil, function(kind)
        return list:make(position, kind)
    end, function(plain)
        list[position] = plain
    end)
end

function list_methods.__insert(list, position, value)
    insert(list:anchor().realm, list, element_of(list), position, value)
end

function dictionary_methods.__assign(dictionary, key, value)
    store(dictionary:anchor().realm, element_of(dictionary), value, nil, function(kind)
        return dictionary:make(key, kind)
    end, function(plain)
        dictionary:set(key, plain)
    end)
end

---object:set{name = value, ...}: several properties at once.
function object_methods.set(object, values)
    return fill_object(realm_of(object), object, object_methods.class(object), values, false)
end

object_methods.to_table = assign.to_table
list_methods.to_table = assign.to_table
core.realm.set.to_table = assign.to_table
dictionary_methods.to_table = assign.to_table

return assign
