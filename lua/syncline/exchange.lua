-- Objects into and out of classes: JSON lines, CSV, Extended JSON.

local core = require("syncline.core")
local assign = require("syncline.assign")
local importer = require("syncline.exchange.importer")
local inference = require("syncline.exchange.inference")
local reader = require("syncline.exchange.reader")

local object_methods = core.realm.object -- called as functions: a property may have the name of a method

local exchange = {}

---Formats by name: `jsonl` (a JSON or Extended JSON document per line), `ejson` (one array of documents,
---or documents one after another), `csv` (first line: names of properties).
exchange.FORMATS = { jsonl = true, ejson = true, csv = true }

---An iterator over the documents of a file: each step gives a table, where it stands and how many bytes it has
---there, or false and what is wrong, or nil at the end.
---@param file file*
---@param format string
---@param class table|nil class of the target, for the types of CSV cells
---@return fun(): table|false|nil, string|nil, integer|nil
function exchange.documents(file, format, class)
    return reader.documents(file, format, class)
end

---A schema for documents that have none: every property optional, of the type that all documents
---agree on, `mixed` where they do not; `_id` is the primary key if every document has one.
---@param name string class
---@param documents table[]
---@return table classes for `realm:update_schema`
function exchange.infer(name, documents)
    local found = inference.new(name)
    for _, document in ipairs(documents) do found:add(document) end
    return { found:class() }
end

---Imports documents into classes. The documents are the iterator's own to give away: they are changed. Links may
---point to objects that come later, also in another source, and be written as the bare key of the object.
---
---What MongoDB allows and a realm does not is mended and told: a link to an object that is not there becomes null (in
---lists and sets it is left out), a required member that is missing or null gets the default of its type. Anything
---else that does not fit ends the import with an error; what earlier batches have written stays.
---
---A batch is one transaction: it ends after `batch` objects (1000), or when it has recorded 1 MiB; objects of more
---than 256 KiB have one of their own.
---
---Options: `policy` (as `realm:create`), `batch`, `progress` (function called with the count after every batch),
---`warn` (function called with a text for everything that was mended).
---@param realm syncline.Realm
---@param sources { class: string, documents: function, name: string|nil }[] `name` stands in messages
---@param options table|nil
---@return table|nil report `counts` (objects per source), `links` and `members`: how many were mended
---@return string|nil message
---@return string|number|nil code
function exchange.import_all(realm, sources, options)
    return importer.run(realm, sources, options or {})
end

---Imports the documents of one class, as `exchange.import_all`.
---@param realm syncline.Realm
---@param class_name string
---@param documents fun(): table|false|nil, string|nil, integer|nil
---@param options table|nil
---@return integer|nil count
---@return string|table|nil message, or the report
---@return string|number|nil code
function exchange.import(realm, class_name, documents, options)
    local report, message, code = exchange.import_all(realm, { { class = class_name, documents = documents } }, options)
    if not report then return nil, message, code end
    return report.counts[1], report
end

-- ---- export -----------------------------------------------------------------------------------------

local WRAP = { binary = core.binary, float = core.float, double = core.double }

-- A property as a value that Extended JSON can tell the type of.
local function typed(property, value)
    local wrap = WRAP[property.type]
    if not wrap or value == nil then return value end
    if property.collection == "single" then return value == core.null and value or wrap(value) end
    local out = setmetatable({}, getmetatable(value))
    for key, element in pairs(value) do out[key] = element == core.null and element or wrap(element) end
    return out
end

local function embedded(classes, property, value)
    local class = classes[property.target]
    if value == nil or value == core.null then return value end
    local function one(object)
        local out = setmetatable({}, assign.DICTIONARY)
        for _, inner in ipairs(class.properties) do
            local content = object[inner.name]
            if inner.embedded then
                out[inner.name] = embedded(classes, inner, content)
            else
                out[inner.name] = typed(inner, content)
            end
        end
        return out
    end
    if property.collection == "single" then return one(value) end
    local out = setmetatable({}, getmetatable(value))
    for key, element in pairs(value) do out[key] = element == core.null and element or one(element) end
    return out
end

---An object as a table of values that keep their types in Extended JSON, and the names in order.
---@param object syncline.Object
---@return table document
---@return string[] names
function exchange.document(object)
    local classes = object_methods.anchor(object).realm:present_classes()
    local class, plain = classes[object_methods.class(object)], assign.to_table(object)
    local out, names = {}, {}
    if class.key then
        names[1] = class.key.name
        out[class.key.name] = plain[class.key.name]
    end
    for _, property in ipairs(class.properties) do
        names[#names + 1] = property.name
        if property.embedded then
            out[property.name] = embedded(classes, property, plain[property.name])
        else
            out[property.name] = typed(property, plain[property.name])
        end
    end
    return out, names
end

local function csv_cell(value)
    if value == nil or value == core.null then return "" end
    local text
    local kind = core.typeof(value)
    if kind == "string" then
        text = value
    elseif kind == "int" or kind == "bool" or kind == "objectid" or kind == "uuid" or kind == "timestamp"
        or kind == "decimal" then
        text = tostring(value)
    elseif kind == "double" or kind == "float" then
        text = ("%.17g"):format(type(value) == "number" and value or value:tonumber())
    elseif kind == "binary" then
        text = core.ejson.encode(value):match("\"base64\":\"([^\"]*)\"")
    else
        text = core.ejson.encode(value, "relaxed")
    end
    if text == "" or text:find("[\",\r\n]") or text:find("^%s") or text:find("%s$") then
        text = "\"" .. text:gsub("\"", "\"\"") .. "\""
    end
    return text
end

---Writes objects to `file` and returns how many.
---@param objects syncline.Results
---@param file file*
---@param format string
---@return integer
function exchange.export(objects, file, format)
    local count, header = 0, false
    if format == "ejson" then file:write("[") end
    for object in objects:each() do
        local document, names = exchange.document(object)
        if format == "csv" then
            if not header then
                local cells = {}
                for i, name in ipairs(names) do cells[i] = csv_cell(name) end
                file:write(table.concat(cells, ","), "\n")
                header = true
            end
            local cells = {}
            for i, name in ipairs(names) do cells[i] = csv_cell(document[name]) end
            file:write(table.concat(cells, ","), "\n")
        elseif format == "ejson" then
            file:write(count > 0 and ",\n" or "\n", core.ejson.encode(document, "canonical", names))
        else
            file:write(core.ejson.encode(document, "relaxed", names), "\n")
        end
        count = count + 1
    end
    if format == "ejson" then file:write("\n]\n") end
    return count
end

return exchange
