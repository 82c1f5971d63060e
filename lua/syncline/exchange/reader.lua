-- Documents out of files, one by one: JSON lines, JSON documents in a row or in an array, CSV.

local core = require("syncline.core")
local assign = require("syncline.assign")

local reader = {}

local function decode(text, where)
    local value, message = core.ejson.decode(text, assign.LIST, assign.DICTIONARY)
    if value == nil then return nil, ("%s: %s"):format(where, message) end
    if getmetatable(value) ~= assign.DICTIONARY then return nil, where .. ": a document, like {...}, expected" end
    return value
end

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
                return document, where, #line
            end
        until false
    end
end

-- ---- documents in a row -----------------------------------------------------------------------------

local CHUNK = 64 * 1024

-- What is read of a file and not yet used: `text` from `at` on.
local Window = {}
Window.__index = Window

-- More text behind what is there, in portions that grow while nothing of it can be dropped, so that the time for a
-- large document grows with it alone. False at the end.
function Window:more()
    local chunk = self.file:read(math.max(CHUNK, #self.text - self.at + 1))
    if not chunk then return false end
    self.text, self.at = self.text:sub(self.at) .. chunk, 1
    return true
end

-- The byte at which something begins again behind blanks and commas; nil at the end.
function Window:skip()
    repeat
        self.at = self.text:match("^[%s,]*()", self.at)
        if self.at <= #self.text then return self.text:sub(self.at, self.at) end
    until not self:more()
    return nil
end

-- The text from here to the bracket that closes what opens here, or to the end of the file.
function Window:take()
    local length, depth, in_string = 0, 0, false
    while true do
        local position = self.text:find(in_string and "[\"\\]" or "[{}%[%]\"]", self.at + length)
        if not position then
            length = math.max(length, #self.text - self.at + 1) -- what a backslash at the end protects is still to come
            if not self:more() then break end
        else
            local byte = self.text:sub(position, position)
            length = position - self.at + 1
            if byte == "\"" then
                in_string = not in_string
            elseif byte == "\\" then
                length = length + 1
            else
                depth = depth + ((byte == "{" or byte == "[") and 1 or -1)
                if depth <= 0 then break end
            end
        end
    end
    local text = self.text:sub(self.at, self.at + length - 1)
    self.at = self.at + length
    return text
end

-- The documents that stand one after another, or inside one array.
local function each_document(file)
    local window, number, in_array = setmetatable({ file = file, text = "", at = 1 }, Window), 0, nil
    return function()
        local byte = window:skip()
        if in_array == nil then
            in_array = byte == "["
            if in_array then
                window.at = window.at + 1
                byte = window:skip()
            end
        end
        if not byte then
            if in_array then return false, "the array is not closed" end
            return nil
        end
        if in_array and byte == "]" then
            window.at = window.at + 1
            if window:skip() then return false, "there is something after the array" end
            in_array = false
            return nil
        end
        number = number + 1
        local where, text = "document " .. number, window:take()
        local document, message = decode(text, where)
        if document == nil then return false, message end
        return document, where, #text
    end
end

-- ---- CSV --------------------------------------------------------------------------------------------

-- One record of CSV: fields may be quoted, quotes doubled, and quoted fields may span lines.
local function csv_record(file)
    local line = file:read("*l")
    if not line then return nil end
    local fields, at, bytes = {}, 1, 0
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
            bytes = bytes + #fields[#fields][1]
        else
            local stop = line:find(",", at, true) or #line + 1
            fields[#fields + 1] = { (line:sub(at, stop - 1):gsub("\r$", "")), false }
            bytes, at = bytes + stop - at, stop
        end
        if line:sub(at, at) == "\r" then at = at + 1 end
        local more = line:sub(at, at) == ","
        at = at + 1
    until not more
    return fields, bytes
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
        local record, bytes = csv_record(file)
        number = number + 1
        if not record then return record, bytes end
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
        return document, where, bytes
    end
end

---An iterator over the documents of a file: each step gives a table, where it stands and how many bytes it has
---there, or false and what is wrong, or nil at the end.
---@param file file*
---@param format string
---@param class table|nil class of the target, for the types of CSV cells
function reader.documents(file, format, class)
    if format == "csv" then return each_csv(file, class) end
    if format == "ejson" then return each_document(file) end
    return each_json_line(file)
end

return reader
