-- What classes and properties a realm has, written down in Lua. Reads the short forms that people
-- write, checks them, and gives the normalised form that the core works on.

local check = require("syncline.check")

local schema = {}

local TYPES = {
    int = true, bool = true, string = true, binary = true, timestamp = true, float = true, double = true,
    decimal = true, objectid = true, uuid = true, mixed = true,
}
local KEY_TYPES = { int = true, string = true, objectid = true, uuid = true }
local INDEX_TYPES = { int = true, bool = true, string = true, timestamp = true, objectid = true, uuid = true, mixed = true }
local COLLECTIONS = { ["[]"] = "list", ["<>"] = "set", ["{}"] = "dictionary" }

local PROPERTY_FIELDS = { name = true, type = true, class = true, default = true, indexed = true, optional = true,
    collection = true, primary_key = true }
local CLASS_FIELDS = { name = true, primary_key = true, embedded = true, asymmetric = true, properties = true }

---@class syncline.Property
---@field name string
---@field type string `"int"`, `"string"`, ..., `"link"`
---@field collection string `"single"`, `"list"`, `"set"` or `"dictionary"`
---@field nullable boolean whether the value, or an element, may be null
---@field target string|nil class of a link or embedded object
---@field default any value, or function that returns one, for new objects
---@field indexed boolean|nil the file keeps an index for `results:where`

---@class syncline.Class
---@field name string
---@field kind string `"toplevel"`, `"embedded"` or `"asymmetric"`
---@field key syncline.Property|nil
---@field properties syncline.Property[]

local function fail(format, ...)
    check.fail("schema: " .. format, ...)
end

local function check_fields(spec, allowed, where)
    for field in pairs(spec) do
        if type(field) == "string" and not allowed[field] then
            fail("%s: unknown field '%s'%s", where, field, check.hint(field, allowed))
        end
    end
end

-- "string?[]" -> base "string", optional, "list"
local function read_type(text, where)
    local base, rest = text:match("^([%w_ ]+)(.*)$")
    if not base then fail("%s: '%s' is no type (write int, string?, Person, int[], string<>, mixed{})", where, text) end
    local optional, collection = false, "single"
    if rest:sub(1, 1) == "?" then optional, rest = true, rest:sub(2) end
    if rest ~= "" then
        collection = COLLECTIONS[rest]
        if not collection then fail("%s: '%s' is no type (after '%s' only ?, [], <> or {})", where, text, base) end
    end
    return base, optional, collection
end

local function normalise_property(class_name, name, spec)
    local where = ("class %s, property '%s'"):format(class_name, tostring(name))
    if type(name) ~= "string" or name == "" then fail("%s: a property needs a name", where) end
    if #name > 63 then fail("%s: names of properties have at most 63 bytes", where) end
    if type(spec) == "string" then spec = { type = spec } end
    if type(spec) ~= "table" then fail("%s: a type like \"string\" or a table with 'type' expected", where) end
    check_fields(spec, PROPERTY_FIELDS, where)
    if type(spec.type) ~= "string" then fail("%s: 'type' is missing", where) end

    local base, optional, collection = read_type(spec.type, where)
    if spec.collection then collection = spec.collection end
    if spec.optional then optional = true end
    local target
    if base == "object" then
        target = spec.class
        if type(target) ~= "string" then fail("%s: 'class' must name the class of the object", where) end
        base = "link"
    elseif not TYPES[base] then
        target, base = base, "link"
    end
    if spec.indexed and not (INDEX_TYPES[base] and collection == "single") then
        fail("%s: a property of type '%s' cannot be indexed (int, bool, string, timestamp, objectid, uuid and mixed can)",
            where, spec.type)
    end
    local nullable = optional or base == "mixed"
    if base == "link" then nullable = collection == "single" or collection == "dictionary" end
    return {
        name = name, type = base, collection = collection, nullable = nullable, target = target,
        default = spec.default, indexed = spec.indexed and true or nil, primary_key = spec.primary_key,
    }
end

-- Properties in the order given, or by name when they come as a table of names.
local function property_specs(class)
    local specs = {}
    if class.properties[1] ~= nil then
        for _, spec in ipairs(class.properties) do
            if type(spec) ~= "table" then
                fail("class %s: in a list of properties each is a table with 'name' and 'type'", class.name)
            end
            specs[#specs + 1] = { spec.name, spec }
        end
        return specs
    end
    for name, spec in pairs(class.properties) do specs[#specs + 1] = { name, spec } end
    table.sort(specs, function(a, b) return tostring(a[1]) < tostring(b[1]) end)
    return specs
end

local function find_key(class, property)
    if class.primary_key ~= nil then return property.name == class.primary_key end
    return property.primary_key
end

local function check_key(class, key)
    local where = ("class %s: primary key '%s'"):format(class.name, key.name)
    if not KEY_TYPES[key.type] or key.collection ~= "single" then
        fail("%s must be an int, string, objectid or uuid", where)
    end
end

local function normalise_class(class)
    if type(class) ~= "table" then fail("a class is a table with 'name' and 'properties'") end
    if type(class.name) ~= "string" or class.name == "" then fail("a class needs a name") end
    if #class.name > 57 then fail("class %s: names of classes have at most 57 bytes", class.name) end
    check_fields(class, CLASS_FIELDS, "class " .. class.name)
    if type(class.properties) ~= "table" then fail("class %s: 'properties' is missing", class.name) end
    if class.embedded and class.asymmetric then fail("class %s is either embedded or asymmetric", class.name) end
    local out = {
        name = class.name, properties = {},
        kind = class.embedded and "embedded" or class.asymmetric and "asymmetric" or "toplevel",
    }
    local seen = {}
    for _, pair in ipairs(property_specs(class)) do
        local property = normalise_property(class.name, pair[1], pair[2])
        if seen[property.name] then fail("class %s: property '%s' is there twice", class.name, property.name) end
        seen[property.name] = true
        if find_key(class, property) then
            check_key(class, property)
            out.key = property
        else
            out.properties[#out.properties + 1] = property
        end
    end
    if class.primary_key ~= nil and not out.key then
        fail("class %s: primary key '%s' is not among the properties", class.name, tostring(class.primary_key))
    end
    if out.key and class.embedded then fail("class %s: embedded classes have no primary key", class.name) end
    return out
end

local function check_targets(classes, by_name)
    for _, class in ipairs(classes) do
        for _, property in ipairs(class.properties) do
            local target = property.target
            local where = ("class %s, property '%s'"):format(class.name, property.name)
            if target and not by_name[target] then
                local names = {}
                for name in pairs(TYPES) do names[name] = true end
                for name in pairs(by_name) do names[name] = true end
                fail("%s: there is no type or class '%s'%s", where, target, check.hint(target, names))
            end
            if target and by_name[target].kind == "asymmetric" then
                fail("%s: nothing can link to the asymmetric class '%s'", where, target)
            end
            if target and by_name[target].kind == "embedded" and property.collection == "set" then
                fail("%s: there are no sets of embedded objects", where)
            end
        end
    end
end

---Reads a schema as people write it and returns it normalised. Raises an error that names class and
---property for anything wrong.
---@param classes table list of `{name=, primary_key=, embedded=, asymmetric=, properties=}`
---@return syncline.Class[]
function schema.normalise(classes)
    if type(classes) ~= "table" then fail("a list of classes expected, got %s", type(classes)) end
    local out, by_name = {}, {}
    for _, class in ipairs(classes) do
        local normal = normalise_class(class)
        if by_name[normal.name] then fail("class %s is there twice", normal.name) end
        by_name[normal.name] = normal
        out[#out + 1] = normal
    end
    if #out == 0 and next(classes) ~= nil then
        fail("a list of classes expected: { {name = ..., properties = ...}, ... }")
    end
    check_targets(out, by_name)
    return out
end

---Normalised classes by name, each with `by_name` for its properties; defaults are taken from
---`declared` (normalised too), which may lack classes that the file has.
---@param classes syncline.Class[]
---@param declared syncline.Class[]|nil
---@return table<string, table>
function schema.index(classes, declared)
    local wanted, out = {}, {}
    for _, class in ipairs(declared or {}) do wanted[class.name] = class end
    for _, class in ipairs(classes) do
        local defaults = {}
        local from = wanted[class.name]
        if from then
            for _, property in ipairs(from.properties) do defaults[property.name] = property.default end
            if from.key and class.key then class.key.default = from.key.default end
        end
        class.by_name = {}
        for _, property in ipairs(class.properties) do
            property.default = defaults[property.name]
            class.by_name[property.name] = property
        end
        out[class.name] = class
    end
    for _, class in ipairs(classes) do
        for _, property in ipairs(class.properties) do
            property.embedded = property.target ~= nil and out[property.target] ~= nil
                and out[property.target].kind == "embedded"
        end
    end
    return out
end

return schema
