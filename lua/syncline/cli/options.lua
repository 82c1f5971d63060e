-- Options of commands: one table says what there is, this file reads the arguments and prints help.

local core = require("syncline.core")

local options = {}

---@class syncline.cli.Option
---@field name string long name without the dashes
---@field value string|nil name of its value in the help; nil: a switch
---@field number boolean|nil the value must be a number
---@field many boolean|nil may be given several times: the result is a list
---@field help string

local function find(command, name)
    for _, option in ipairs(command.options or {}) do
        if option.name == name then return option end
    end
    return nil
end

local function take(command, out, option, text)
    local value = text
    if option.number then
        value = tonumber(text)
        if not value then return nil, ("--%s: a number expected, got '%s'"):format(option.name, text) end
    end
    local key = option.name:gsub("%-", "_")
    if option.many then
        out[key] = out[key] or {}
        table.insert(out[key], value)
    elseif out[key] ~= nil then
        return nil, ("--%s is given twice (see 'syncline %s --help')"):format(option.name, command.name)
    else
        out[key] = value
    end
    return true
end

local function unknown(command, name)
    local names = { help = true }
    for _, option in ipairs(command.options or {}) do names[option.name] = true end
    local nearest = core.nearest(name, names)
    return ("there is no option --%s%s (see 'syncline %s --help')"):format(name,
        nearest and ("; did you mean --%s?"):format(nearest) or "", command.name)
end

---Reads the arguments of a command: a table with the options by name (dashes become underscores) and
---the rest at 1, 2, ...; or nil and what is wrong.
---@param command table
---@param arguments string[]
---@return table|nil, string|nil
function options.read(command, arguments)
    local out, i, only_rest = {}, 1, false
    while i <= #arguments do
        local argument = arguments[i]
        local name, inline = argument:match("^%-%-([%w-]+)=?(.*)$")
        if argument == "-h" then name = "help" end
        if only_rest or not name or argument == "--" then
            if argument == "--" and not only_rest then
                only_rest = true
            elseif not only_rest and argument:match("^%-.") then
                return nil, ("there is no option %s (see 'syncline %s --help')"):format(argument, command.name)
            else
                out[#out + 1] = argument
            end
        elseif name == "help" then
            out.help = true
        else
            local option = find(command, name)
            if not option then
                return nil, unknown(command, name)
            end
            local text = true
            if option.value then
                text = argument:find("=", 1, true) and inline or nil
                if not text then
                    i = i + 1
                    text = arguments[i]
                end
                if not text then return nil, ("--%s needs a value: %s"):format(name, option.value) end
            end
            local ok, message = take(command, out, option, text)
            if not ok then return nil, message end
        end
        i = i + 1
    end
    return out
end

---The help text of a command.
---@param command table
---@return string
function options.help(command)
    local lines = { "usage: syncline " .. command.usage, "", command.about }
    if command.options and #command.options > 0 then
        lines[#lines + 1] = ""
        for _, option in ipairs(command.options) do
            local left = "  --" .. option.name .. (option.value and " " .. option.value or "")
            lines[#lines + 1] = ("%-28s %s"):format(left, option.help)
        end
    end
    if command.more then
        lines[#lines + 1] = ""
        lines[#lines + 1] = command.more
    end
    return table.concat(lines, "\n") .. "\n"
end

return options
