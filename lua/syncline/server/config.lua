-- The configuration of a server: what may be in it, what holds without it, and the keys that are made
-- on the first run.

local addresses = require("syncline.services.addresses")
local app_fields = require("syncline.server.app_fields")
local auth = require("syncline.auth")
local check = require("syncline.check")
local core = require("syncline.core")
local disk = require("syncline.disk")
local duration = require("syncline.duration")
local keyring = require("syncline.server.keyring")
local limits = require("syncline.services.limits")

local config = {}

-- Name, type, default.
local FIELDS = {
    host = { "string", "127.0.0.1" },
    port = { "number", 9090 },
    storage = { "string", "syncline-data" },
    tls = { "table or false", nil },
    base_url = { "string", nil },
    apps = { "table", nil },
    keys = { "table", nil },
    log = { "table", nil },
    mail = { "function", nil },
    limits = { "table", nil },
    password_threads = { "number", 2 },
    trusted_proxies = { "table", nil },
    max_connections = { "number", nil },
    max_per_address = { "number", nil },
    max_sessions = { "number", nil },
    max_partition = { "number", nil },
    max_backlog = { "number", nil },
    max_merge_steps = { "number", nil },
    max_message = { "number", 17825792 },
    max_skipped = { "number", 268435456 },
    max_classes = { "number", nil },
    max_properties = { "number", nil },
    max_key_bytes = { "number", nil },
    max_nesting = { "number", nil },
    max_object_bytes = { "number", nil },
    max_download = { "number", 1048576 },
    state_transfer = { "boolean", true },
    state_min_bytes = { "number", nil },
    state_age_bytes = { "number", nil },
    idle_timeout = { "number", nil },
    handshake_timeout = { "number", 10 },
    first_timeout = { "number", 60 },
    keep_originals = { "boolean", nil },
    client_ttl = { "time", nil },
    compact_interval = { "time", 3600 },
    stop_timeout = { "number", 5 },
    token_leeway = { "number", 30 },
}

local TLS_FIELDS = { host = "string", cert = "string", key = "string", min = "string" }
local KEY_FIELDS = { alg = "string", kid = "string", secret = "string", pem = "string", jwk = "string", pem_file = "string" }

-- Seconds, at least one; false stays: it switches off.
local function read_time(name, value)
    if value == false then return false end
    local seconds = (type(value) == "number" or type(value) == "string") and duration.seconds(value)
    if not seconds or seconds < 1 then
        check.fail("server: option '%s': seconds, a time like \"12h\" or \"30d\", or false expected, got %s", name,
            type(value) == "string" and ("'%s'"):format(value) or tostring(value))
    end
    return seconds
end

local function read_option(name, value)
    local field = FIELDS[name]
    if not field then check.fail("server: unknown option '%s'%s", tostring(name), check.hint(name, FIELDS)) end
    if field[1] == "time" then return read_time(name, value) end
    if type(value) ~= field[1] and not (field[1] == "table or false" and (value == false or type(value) == "table")) then
        check.fail("server: option '%s': %s expected, got %s", name, field[1], type(value))
    end
    return value
end

---Checks a configuration and fills in the defaults. Raises what is wrong with it.
---@param given table|nil
---@return table
function config.check(given)
    local out = {}
    if given ~= nil and type(given) ~= "table" then check.fail("server: a table of options expected, got a %s", type(given)) end
    for name, value in pairs(given or {}) do out[name] = read_option(name, value) end
    if out.tls then check.options("server: tls", out.tls, TLS_FIELDS) end
    if out.apps then app_fields.check(out.apps) end
    for name, field in pairs(FIELDS) do
        if out[name] == nil then out[name] = field[2] end
    end
    -- An open app of its own only for who has said nothing: never beside apps that somebody defined.
    out.apps_given = out.apps ~= nil
    out.apps = out.apps or { default = { anonymous = true } }
    out.limits = limits.check(out.limits)
    local size = out.max_message
    if not (size >= 65536 and size <= 268435456 and size % 1 == 0) then
        check.fail("server: option 'max_message': a number of bytes from 65536 to 268435456 expected, got %s", tostring(size))
    end
    local skipped = out.max_skipped
    if not (skipped >= 0 and skipped <= 2147483647 and skipped % 1 == 0) then
        check.fail("server: option 'max_skipped': a number of bytes from 0 to 2147483647 expected, got %s", tostring(skipped))
    end
    local ranges, message = addresses.ranges(out.trusted_proxies or {})
    if not ranges then check.fail("server: option 'trusted_proxies': %s", message) end
    out.trusted_proxies = ranges
    return out
end

local function read_key(spec, number)
    check.options(("server: keys[%d]"):format(number), spec, KEY_FIELDS)
    local options = { alg = spec.alg, kid = spec.kid, secret = spec.secret, pem = spec.pem, jwk = spec.jwk }
    if spec.pem_file then
        local text, message = disk.read(spec.pem_file)
        if not text then return nil, message end
        options.pem = text
    end
    return auth.key(options)
end

---The keys that our tokens are signed and checked with.
---@param checked table a checked configuration
---@param create boolean make the first key if there is none
---@return syncline.server.Keyring|nil
---@return string|nil message
function config.keys(checked, create)
    local others = {}
    for number, spec in ipairs(checked.keys or {}) do
        local other, reason = read_key(spec, number)
        if not other then return nil, ("keys[%d]: %s"):format(number, reason) end
        others[number] = other
    end
    return keyring.open(checked.storage, { create = create, others = others }, os.time())
end

---TLS files: those of the configuration, or a certificate of our own for localhost, made on the first
---run; false if TLS is switched off.
---@param checked table
---@return table|false|nil tls
---@return string|nil message
function config.tls(checked)
    if checked.tls == false then return false end
    local given = checked.tls or {}
    if given.cert and given.key then
        return { cert = given.cert, key = given.key, min = given.min }
    end
    if given.cert or given.key then return nil, "tls: 'cert' and 'key' belong together" end
    local folder = checked.storage .. "/tls"
    local ok, message = disk.make_folder(folder)
    if not ok then return nil, message end
    local cert, key, created = core.net.certificate(folder, given.host)
    if not cert then return nil, key end
    return { cert = cert, key = key, min = given.min, created = created, own = true }
end

return config
