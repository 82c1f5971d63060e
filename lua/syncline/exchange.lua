-- Objects into and out of a class: JSON lines, CSV, Extended JSON.

local core = require("syncline.core")
local assign = require("syncline.assign")

local object_methods = core.realm.object -- called as functions: a property may have the name of a method

local exchange = {}

---Formats by name: `jsonl` (a JSON or Extended JSON document per line), `ejson` (one array of documents,
---or documents one after another), `csv` (first line: names of properties).
exchange.FORMATS = { jsonl = true, ejson = true, csv = true }

local function decode(text, where)
    local value, message = core.ejson.decode(text, assign.LIST, assign.DICTIONARY)
    if value == nil then return nil, ("%s: %s"):format(where, message), "format" end
    return value
end

-- ---- reading documents ------------------------------------------------------------------------------

local function each_json_line(file)
    local number = 0
    return function()
        repeat
            local line = file:read("*l")
            number = number + 1
            if not line then return nil end
            if line:find("%S") then
                local where = "line " .. number
                local document, message = decode(line, where)
                if document == nil then return false, message end
                return document, where
            end
        until false
    end
end

-- Cuts a text into the documents that stand one after another, or inside one array.
local function each_document(file)
    local text = file:read("*a") or ""
    local at, number, in_array = 1, 0, false
    local first = text:match("^%s*()%[")
    if first then at, in_array = first + 1, true end
    return function()
        at = text:match("^[%s,]*()", at)
        if at > #text then
            if in_array then return false, "the array is not closed" end
            return nil
        end
        if in_array and text:sub(at, at) == "]" then
            if text:find("%S", at + 1) then return false, "there is something after the array" end
            return nil
        end
        number = number + 1
        local depth, position, in_string = 0, at, false
        repeat
            local byte = text:sub(position, position)
            if in_string then
                if byte == "\\" then position = position + 1 elseif byte == "\"" then in_string = false end
            elseif byte == "\"" then
                in_string = true
            elseif byte == "{" or byte == "[" then
                depth = depth + 1
            elseif byte == "}" or byte == "]" then
                depth = depth - 1
            end
            position = position + 1
        until depth <= 0 or position > #text + 1
        local document, message = decode(text:sub(at, position - 1), "document " .. number)
        at = position
        if document == nil then return false, message end
        return document, "document " .. number
    end
end

-- One record of CSV: fields may be quoted, quotes doubled, and quoted fields may span lines.
local function csv_record(file)
    local line = file:read("*l")
    if not line then return nil end
    local fields, at = {}, 1
    repeat
        if line:sub(at, at) == "\"" then
            local out, from = {}, at + 1
            while true do
                local quote = line:find("\"", from, true)
                if not quote then
                    local more = file:read("*l")
                    if not more then return false, "a quoted field is not closed" end
                    line = line .. "\n" .. more
                elseif line:sub(quote + 1, quote + 1) == "\"" then
                    out[#out + 1] = line:sub(from, quote)
                    from = quote + 2
                else
                    out[#out + 1] = line:sub(from, quote - 1)
                    at = quote + 1
                    break
                end
            end
            fields[#fields + 1] = { table.concat(out), true }
        else
            local stop = line:find(",", at, true) or #line + 1
            fields[#fields + 1] = { (line:sub(at, stop - 1):gsub("\r$", "")), false }
            at = stop
        end
        if line:sub(at, at) == "\r" then at = at + 1 end
        local more = line:sub(at, at) == ","
        at = at + 1
    until not more
    return fields
end

local BOOLEANS = { ["true"] = true, ["false"] = false, ["1"] = true, ["0"] = false }

-- A cell for a property; collections, links and embedded objects are written as Extended JSON.
local function from_cell(property, cell)
    local text, quoted = cell[1], cell[2]
    if text == "" and not quoted then return nil end
    if not property or property.collection ~= "single" or property.type == "mixed" or property.type == "link" then
        local value = core.ejson.decode(text, assign.LIST, assign.DICTIONARY)
        if value == nil then return text end
        return value
    end
    local kind = property.type
    if kind == "int" then return core.int64(text) end
    if kind == "bool" then
        if BOOLEANS[text] == nil then error(("'%s' is neither true nor false"):format(text), 0) end
        return BOOLEANS[text]
    end
    if kind == "float" or kind == "double" then
        return tonumber(text) or error(("'%s' is no number"):format(text), 0)
    end
    if kind == "binary" then
        local value = core.ejson.decode(("{\"$binary\":{\"base64\":\"%s\",\"subType\":\"00\"}}"):format(text))
        return value or error("base64 text expected", 0)
    end
    if kind == "timestamp" then return core.timestamp(text) end
    return text
end

local function each_csv(file, class)
    local header, message = csv_record(file)
    if not header then return function() return header, message end end
    local names, number = {}, 1
    for i, cell in ipairs(header) do names[i] = i == 1 and cell[1]:gsub("^\239\187\191", "") or cell[1] end
    return function()
        local record, problem = csv_record(file)
        number = number + 1
        if not record then return record, problem end
        local where, document = "record " .. number, {}
        if #record ~= #names then
            return false, ("%s: %d fields expected, got %d"):format(where, #names, #record)
        end
        for i, cell in ipairs(record) do
            local property = class and (class.by_name[names[i]] or class.key and class.key.name == names[i] and class.key)
            local ok, value = pcall(from_cell, property, cell)
            if not ok then
                local why = tostring(value):gsub("^.-bad argument #1 to '[^']*' ", "")
                return false, ("%s, column '%s': %s"):format(where, names[i], why)
            end
            document[names[i]] = value
        end
        return document, where
    end
end

---An iterator over the documents of a file: each step gives a table and where it stands, or false and
---what is wrong, or nil at the end.
---@param file file*
---@param format string
---@param class table|nil class of the target, for the types of CSV cells
function exchange.documents(file, format, class)
    if format == "csv" then return each_csv(file, class) end
    if format == "ejson" then return each_document(file) end
    return each_json_line(file)
end

-- ---- import -----------------------------------------------------------------------------------------

-- The type of a value, "null", or "[]" for an empty list, which suits every list.
local function type_of(value)
    if type(value) ~= "table" then return core.typeof(value) end
    if getmetatable(value) ~= assign.LIST then return "mixed" end
    local inner
    for _, element in ipairs(value) do
        local kind = type_of(element)
        if inner and inner ~= kind or kind == "null" then return "mixed[]" end
        inner = kind
    end
    if inner and inner:find("[%[%]]") then return "mixed" end
    return inner and inner ~= "mixed" and inner .. "[]" or inner and "mixed[]" or "[]"
end

-- The type that suits two.
local function join(a, b)
    if a == b or b == "null" then return a end
    if a == "null" then return b end
    if a == "[]" and b:find("%[%]$") then return b end
    if b == "[]" and a:find("%[%]$") then return a end
    if a == "int" and b == "double" or a == "double" and b == "int" then return "double" end
    if a:find("%[%]$") and b:find("%[%]$") then return "mixed[]" end
    return "mixed"
end

local KEYS = { int = true, string = true, objectid = true, uuid = true }

---A schema for documents that have none: every property optional, of the type that all documents
---agree on, `mixed` where they do not; `_id` is the primary key if every document has one.
---@param name string class
---@param documents table[]
---@return table classes for `realm:update_schema`
function exchange.infer(name, documents)
    local types, with_id = {}, 0
    for _, document in ipairs(documents) do
        for property, value in pairs(document) do
            types[property] = join(types[property] or "null", type_of(value))
        end
        if document._id ~= nil then with_id = with_id + 1 end
    end
    local class = { name = name, properties = {} }
    for property, kind in pairs(types) do
        if kind == "null" then kind = "mixed" elseif kind == "[]" then kind = "mixed[]" end
        if kind ~= "mixed" and not kind:find("%[%]$") and property ~= "_id" then kind = kind .. "?" end
        class.properties[property] = kind
    end
    if with_id == #documents and KEYS[types._id] then class.primary_key = "_id" end
    return { class }
end

local KEY_KINDS = { int = true, string = true, objectid = true, uuid = true }

-- A bare key stands for the object that has it: databases that know no links write them so.
local function as_link(target, value)
    if KEY_KINDS[core.typeof(value) or ""] then return core.link(target, value) end
    return value
end

local function as_links(property, value)
    if property.collection == "single" or type(value) ~= "table" then return as_link(property.target, value) end
    local out = setmetatable({}, getmetatable(value))
    for key, element in pairs(value) do out[key] = as_link(property.target, element) end
    return out
end

-- Links are written when all objects are there, because they may point to objects that come later.
local function take_links(class, document)
    local links
    for _, property in ipairs(class.properties) do
        local value = document[property.name]
        if property.type == "link" and not property.embedded and value ~= nil and value ~= core.null then
            links = links or {}
            links[property.name] = as_links(property, value)
            document[property.name] = nil
        end
    end
    return links
end

-- One transaction: calls step() until it returns false (no more) or `size` times. step raises what is
-- wrong as {where}; the count, whether there may be more, or nil, message, code.
local function batch_of(realm, size, step)
    local written, more, problem = 0, true, nil
    local ok, message, code = realm:write(function()
        while written < size and more do
            local fine, result, why = pcall(step)
            if not fine then
                if type(result) == "table" then error(result, 0) end
                problem = tostring(result)
                realm:cancel()
            elseif result == nil then
                problem = why
                realm:cancel()
            end
            more = result
            if more then written = written + 1 end
        end
    end)
    if problem then return nil, problem, "format" end
    if not ok then return nil, message, code end
    return written, more
end

local function short(message)
    return (message:gsub("^[^:\n]+:%d+: ", ""):gsub("\nstack traceback:.*", ""))
end

---Imports documents into a class. Links may point to objects that come later in the same import, and be
---written as the bare key of the object.
---
---Options: `policy` (as `realm:create`), `batch` (objects per transaction, default 1000), `progress`
---(function called with the count after every batch).
---@param realm syncline.Realm
---@param class_name string
---@param documents fun(): table|false|nil, string|nil
---@param options table|nil
---@return integer|nil count
---@return string|nil message
---@return string|number|nil code
function exchange.import(realm, class_name, documents, options)
    options = options or {}
    local class, later = realm:present_classes()[class_name], {}
    if not class then return nil, ("there is no class '%s'"):format(tostring(class_name)), "usage" end
    local count, linked, more = 0, 0, true
    local function create()
        local document, where = documents()
        if document == nil then return false end
        if document == false then return nil, where end
        local links = take_links(class, document)
        local ok, object = pcall(realm.create, realm, class_name, document, options.policy)
        if not ok then
            if type(object) == "table" then error(object, 0) end
            return nil, ("%s: %s"):format(where, short(tostring(object)))
        end
        if links then later[#later + 1] = { object, links, where } end
        return true
    end
    local function link()
        local entry = later[linked + 1]
        if not entry then return false end
        linked = linked + 1
        local ok, problem = pcall(object_methods.set, entry[1], entry[2])
        if not ok then
            if type(problem) == "table" then error(problem, 0) end
            return nil, ("%s: %s"):format(entry[3], short(tostring(problem)))
        end
        return true
    end
    while more do
        local written, rest, code = batch_of(realm, options.batch or 1000, create)
        if not written then return nil, ("%s (%d objects were imported before)"):format(rest, count), code end
        count, more = count + written, rest
        if options.progress then options.progress(count) end
    end
    more = #later > 0
    while more do
        local written, rest, code = batch_of(realm, options.batch or 1000, link)
        if not written then return nil, rest, code end
        more = rest
    end
    return count
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
