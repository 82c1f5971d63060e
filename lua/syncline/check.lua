-- Mistakes of the calling program: what its tables of options may hold, and errors that name its line.

local core = require("syncline.core")

local check = {}

-- Everything beside this file is ours: errors name the line that called it, not one in here.
local HERE = debug.getinfo(1, "S").source:match("^(.*)check%.lua$")
if HERE then
    core.own(HERE, true)
    core.own(HERE:gsub("[/\\]$", "") .. ".lua")
end

---Raises an error that names the line of the program that made the mistake.
---@param format string as for string.format
function check.fail(format, ...)
    error(core.where() .. format:format(...), 0)
end

---Raises again what was raised inside: a text without the position of a line of ours gets that of the caller's.
---@param problem any
function check.raise(problem)
    if type(problem) == "string" and not problem:match("^[^\n:]+:%d+: ") then problem = core.where() .. problem end
    error(problem, 0)
end

local function list(fields)
    local names = {}
    for name in pairs(fields) do names[#names + 1] = name end
    table.sort(names)
    return table.concat(names, ", ")
end

---What to say beside a name that is not there: "; did you mean 'x'?", or all that are there.
---@param name any
---@param fields table<string, any> the names that are there
---@return string
function check.hint(name, fields)
    local nearest = type(name) == "string" and core.nearest(name, fields)
    return nearest and ("; did you mean '%s'?"):format(nearest) or (" (there are %s)"):format(list(fields))
end

local ARTICLES = { ["function"] = "a function", table = "a table", string = "a string", number = "a number",
    boolean = "true or false", userdata = "an object" }

local function expected(types)
    local words = {}
    for each in types:gmatch("[^|]+") do words[#words + 1] = ARTICLES[each] or each end
    return table.concat(words, " or ")
end

-- What a value is, for people: never the content of what may be secret.
local function kind(value)
    local name = type(value)
    return name == "nil" and "nothing" or ARTICLES[name] or ("a " .. name)
end

---Raises an error for a table of options that holds what it must not. `fields` has the type of each option by its
---name: "string", "function", several with "|" between, or "any". `instead` may say what to write for names that people
---bring from elsewhere.
---@param what string the function or table, for the message
---@param given any
---@param fields table<string, string>
---@param instead table<string, string>|nil
function check.options(what, given, fields, instead)
    if type(given) ~= "table" then check.fail("%s: a table of options expected, got %s", what, kind(given)) end
    for name, value in pairs(given) do
        local types = fields[name]
        if not types then
            local other = instead and instead[name]
            check.fail("%s: unknown option '%s'%s", what, tostring(name),
                other and ("; write %s"):format(other) or check.hint(name, fields))
        end
        if types ~= "any" and not ("|" .. types .. "|"):find("|" .. type(value) .. "|", 1, true) then
            check.fail("%s: option '%s': %s expected, got %s", what, name, expected(types), kind(value))
        end
    end
end

---As `check.options`, for options that may be left out altogether.
---@param what string
---@param given any
---@param fields table<string, string>
---@param instead table<string, string>|nil
function check.optional(what, given, fields, instead)
    if given ~= nil then check.options(what, given, fields, instead) end
end

---Raises an error unless an argument has the type.
---@param what string the function and the argument, for the message
---@param value any
---@param types string one type, or several with "|" between
function check.argument(what, value, types)
    if ("|" .. types .. "|"):find("|" .. type(value) .. "|", 1, true) then return end
    check.fail("%s: %s expected, got %s", what, expected(types), kind(value))
end

---The value of one of a few names.
---@param what string
---@param name any
---@param names table<string, any>
function check.one_of(what, name, names)
    if type(name) ~= "string" or names[name] == nil then
        check.fail("%s: there is no '%s'%s", what, tostring(name), check.hint(name, names))
    end
end

return check
