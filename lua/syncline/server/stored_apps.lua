-- Apps that were made while a server ran, or beside it: one JSON file each in storage/apps. They hold
-- what can be said without Lua: ways to log in, rules of permissions, life times.

local check = require("syncline.check")
local core = require("syncline.core")
local disk = require("syncline.disk")
local permissions = require("syncline.services.permissions")

local json = core.json

local stored_apps = {}

-- Name, then the types it may have.
local FIELDS = {
    anonymous = { boolean = true }, email = { boolean = true, table = true }, api_key = { boolean = true, table = true },
    jwt = { boolean = true, table = true }, permissions = { table = true }, schema = { string = true }, origins = { table = true },
    max_sessions_per_user = { number = true }, access_token_lifetime = { number = true }, refresh_token_lifetime = { number = true },
}

local EMAIL = {
    confirm = "string", min_password = "number", confirm_url = "string", reset_url = "string", discreet = "boolean",
    ticket_lifetime = "number",
}

local API_KEY = { max_keys = "number" }

local JWT = {
    keys = "table", jwks_file = "string", jwks_url = "string", audience = "string", issuer = "string", metadata = "table",
    identity = "string", ca_file = "string", allow_private = "boolean",
}

local function check_members(name, given, allowed)
    if type(given) ~= "table" then return true end
    for member, value in pairs(given) do
        if not allowed[member] then
            return nil, ("%s: unknown member '%s'%s"):format(name, tostring(member), check.hint(member, allowed))
        end
        if type(value) ~= allowed[member] then
            return nil, ("%s: '%s' must be a %s"):format(name, member, allowed[member])
        end
    end
    return true
end

local function check_lifetime(name, value)
    if value ~= nil and (value < 1 or value > 3650 * 86400 or value % 1 ~= 0) then
        return nil, name .. ": whole seconds expected, up to ten years"
    end
    return true
end

local function check_rules(rules)
    for key, rule in pairs(rules or {}) do
        if type(key) ~= "number" or type(rule) ~= "table" then return nil, "permissions: a list of rules expected" end
    end
    return permissions.validate(rules)
end

---Checks an app id: it becomes the name of files and part of URLs.
---@param id any
---@return boolean|nil ok
---@return string|nil message
function stored_apps.check_id(id)
    if type(id) ~= "string" or not id:match("^[%w_-]+$") or #id > 64 then
        return nil, ("app id '%s': up to 64 letters, digits, '_' and '-'"):format(tostring(id))
    end
    return true
end

---Checks what an app is defined as.
---@param definition any
---@return boolean|nil ok
---@return string|nil message
function stored_apps.check(definition)
    if type(definition) ~= "table" or definition[1] ~= nil then return nil, "an app is defined by a table with names" end
    for name, value in pairs(definition) do
        if not FIELDS[name] then
            return nil, ("unknown member '%s'%s"):format(tostring(name), check.hint(name, FIELDS))
        end
        if not FIELDS[name][type(value)] then return nil, ("'%s' cannot be a %s"):format(name, type(value)) end
    end
    local ok, message = check_members("email", definition.email, EMAIL)
    if ok and type(definition.email) == "table" then
        local confirm = definition.email.confirm
        if confirm ~= nil and confirm ~= "auto" and confirm ~= "email" then
            return nil, "email: 'confirm' is 'auto' or 'email'"
        end
    end
    if ok then ok, message = check_members("api_key", definition.api_key, API_KEY) end
    if ok then ok, message = check_members("jwt", definition.jwt, JWT) end
    if ok then ok, message = check_rules(definition.permissions) end
    for _, name in ipairs({ "access_token_lifetime", "refresh_token_lifetime" }) do
        if ok then ok, message = check_lifetime(name, definition[name]) end
    end
    return ok, message
end

local function path_of(storage, id)
    return ("%s/apps/%s.json"):format(storage, id)
end

---Writes a definition, all or nothing.
---@param storage string
---@param id string
---@param definition table
---@return boolean|nil ok
---@return string|nil message
function stored_apps.save(storage, id, definition)
    local ok, message = disk.make_folder(storage .. "/apps")
    if not ok then return nil, message end
    return disk.write_private(path_of(storage, id), json.encode(definition) .. "\n")
end

local function read(storage, id)
    local text, message = disk.read(path_of(storage, id))
    if not text then return nil, message end
    local definition
    definition, message = json.decode(text)
    if type(definition) ~= "table" then
        return nil, ("'%s': %s"):format(path_of(storage, id), message or "an object expected")
    end
    local ok
    ok, message = stored_apps.check(definition)
    if not ok then return nil, ("'%s': %s"):format(path_of(storage, id), message) end
    return definition
end

---All stored apps by id.
---@param storage string
---@return table<string, table>|nil apps
---@return string|nil message
function stored_apps.load(storage)
    local apps = {}
    for _, name in ipairs(disk.list(storage .. "/apps")) do
        local id = name:match("^([%w_-]+)%.json$")
        if id then
            local definition, message = read(storage, id)
            if not definition then return nil, message end
            apps[id] = definition
        end
    end
    return apps
end

---The apps of a configuration and the stored ones together; the configuration wins. The app that there
---is without a configuration is left out if there are others.
---@param storage string
---@param checked table a checked configuration; its apps are changed if the default is left out
---@return table<string, table>|nil apps
---@return string|nil message
function stored_apps.merge(storage, checked)
    local apps, message = stored_apps.load(storage)
    if not apps then return nil, message end
    if not checked.apps_given and next(apps) then checked.apps = {} end
    for id, definition in pairs(checked.apps) do apps[id] = definition end
    return apps
end

return stored_apps
