-- What the operator's commands share: finding the server, reading sub-commands, printing.

local admin = require("syncline.admin")
local common = require("syncline.cli.common")
local core = require("syncline.core")
local disk = require("syncline.disk")

local operator = {}

---Options that every operator's command has.
operator.OPTIONS = {
    { name = "config", value = "FILE", help = "configuration of the server" },
    { name = "storage", value = "DIR", help = "its storage folder (default syncline-data)" },
    { name = "json", help = "print JSON" },
}

---The options above after those of one command.
function operator.options(list)
    for _, option in ipairs(operator.OPTIONS) do list[#list + 1] = option end
    return list
end

---The storage folder that the options name, and the configuration.
function operator.storage(given)
    local config = given.config and common.load_config(given.config) or {}
    return given.storage or config.storage or "syncline-data", config
end

---The storage folder of a server that has run, or in which an app was made; ends the command if there is
---none: a mistyped name must not become a new server.
function operator.existing(storage)
    if disk.exists(storage .. "/keys/signing.key") then return end
    common.fail("there is no server storage in '%s': name the folder with --storage, or start the server ('syncline serve') once",
        storage)
end

---Runs `action(target)` on the apps of the server. `creates`: its storage folder may be made.
function operator.with(given, action, creates)
    local storage, config = operator.storage(given)
    if not creates then operator.existing(storage) end
    local ok, target, message = pcall(admin.open, storage, config)
    if not ok then common.fail("%s", tostring(target)) end
    if not target then common.fail("%s", message) end
    local good, status = pcall(action, target)
    target:close()
    if not good then error(status, 0) end
    return status or 0
end

---The value of a call, or the end of the command.
function operator.must(value, message)
    if value == nil then common.fail("%s", tostring(message)) end
    return value
end

---Calls the action that the first argument names.
function operator.dispatch(name, actions, given)
    local action = actions[given[1] or ""]
    if not action then
        local names = {}
        for each in pairs(actions) do names[#names + 1] = each end
        table.sort(names)
        local nearest = given[1] and core.nearest(given[1], actions)
        common.misuse("%s: one of %s expected%s%s", name, table.concat(names, ", "),
            given[1] and (", got '%s'"):format(given[1]) or "",
            nearest and ("; did you mean '%s'?"):format(nearest) or "")
    end
    return action(given)
end

---Requires exactly `count` words after the sub-command.
function operator.words(given, count, what)
    if #given ~= count + 1 then common.misuse("%s: %s expected", given[1], what) end
    return given[2], given[3]
end

---Requires an option.
function operator.need(given, name)
    if not given[name] then common.misuse("--%s is missing", (name:gsub("_", "-"))) end
    return given[name]
end

---Prints a value as JSON, if that is asked for, else by `plain(value)`.
function operator.print(given, value, plain)
    if given.json then print(core.json.encode(value)) else plain(value) end
end

---Prints realms for people.
function operator.show_realms(list)
    for _, realm in ipairs(list) do
        if realm.error then
            print(("%s  %s: %s"):format(realm.app, realm.partition, realm.error))
        else
            print(("%s  %s  %d bytes, %d devices of %d users, last seen %s"):format(realm.app, realm.partition, realm.bytes, realm.devices,
                #realm.users, realm.last_seen > 0 and os.date("!%Y-%m-%d", realm.last_seen) or "never"))
            for _, user in ipairs(realm.users) do print("    " .. user) end
        end
    end
end

---JSON text of an option, or of the file behind '@'.
function operator.json(name, text)
    local source = text
    if text:sub(1, 1) == "@" then
        local message
        source, message = disk.read(text:sub(2))
        if not source then common.fail("--%s: %s", name, message) end
    end
    local ok, value, message = pcall(core.json.decode, source)
    if not ok or type(value) ~= "table" then
        common.misuse("--%s: JSON expected (or @FILE): %s", name, tostring(ok and message or value))
    end
    return value
end

return operator
