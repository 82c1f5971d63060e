-- Log lines: plain text for people, JSON lines for machines. Facts whose name says that they are
-- secret never get into a line, whoever passes them.

local check = require("syncline.check")
local disk = require("syncline.disk")
local json = require("syncline.core").json

local log = {}
log.__index = log

local LEVELS = { debug = 1, info = 2, notice = 3, warning = 4, error = 5, off = 6 }
local FORMATS = { plain = true, json = true }
local OPTIONS = { format = "string", level = "string", file = "string" }
local SECRET = { token = true, access_token = true, refresh_token = true, password = true, secret = true, key = true,
    authorization = true, baas_at = true, link = true, token_id = true }

---@class syncline.log.Options
---@field format string|nil `"plain"` (default) or `"json"`
---@field level string|nil `"debug"`, `"info"` (default), `"notice"`, `"warning"`, `"error"` or `"off"`
---@field file string|nil appended to; default standard error

---@param options syncline.log.Options|nil
---@return table|nil log, string|nil message
function log.new(options)
    options = options or {}
    check.options("log", options, OPTIONS)
    local format, level = options.format or "plain", options.level or "info"
    check.one_of("log: option 'format'", format, FORMATS)
    check.one_of("log: option 'level'", level, LEVELS)
    local out = io.stderr
    if options.file then
        local file, message = disk.open_private(options.file, "a")
        if not file then return nil, message end
        out = file
    end
    return setmetatable({ json = format == "json", level = LEVELS[level], out = out, owned = options.file ~= nil }, log)
end

local function one_line(value)
    local text = tostring(value)
    text = text:gsub("[%c]", function(c) return ("\\x%02x"):format(c:byte()) end)
    if text:find("[ =\"]") or text == "" then text = "\"" .. text:gsub("\"", "\\\"") .. "\"" end
    return text
end

local function sorted(facts)
    local names = {}
    for name in pairs(facts or {}) do
        if not SECRET[name] then names[#names + 1] = name end
    end
    table.sort(names)
    return names
end

---Writes one line.
---@param level string
---@param message string
---@param facts table|nil names and values
function log:write(level, message, facts)
    if (LEVELS[level] or 2) < self.level then return end
    local names = sorted(facts)
    local line
    if self.json then
        local record = { time = os.date("!%Y-%m-%dT%H:%M:%SZ"), level = level, message = message }
        for _, name in ipairs(names) do
            local value = facts[name]
            if type(value) ~= "number" and type(value) ~= "boolean" then value = tostring(value) end
            record[name] = value
        end
        local ok, text = pcall(json.encode, record)
        line = ok and text or json.encode({ level = level, message = "a log line could not be written as JSON" })
    else
        local parts = { os.date("!%Y-%m-%d %H:%M:%S"), ("%-7s"):format(level), message }
        for _, name in ipairs(names) do parts[#parts + 1] = name .. "=" .. one_line(facts[name]) end
        line = table.concat(parts, " ")
    end
    self.out:write(line, "\n")
    self.out:flush()
end

function log:close()
    if self.owned then self.out:close() end
    self.owned = false
end

return log
