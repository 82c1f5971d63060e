--- Server-side functions: POST functions/call (protocol/5-app-services-http.md, 11). Arguments and
--- results travel as Extended JSON.
local core = require("syncline.core")
local http = require("syncline.services.http")

local json = core.json

local functions = {}

-- ---- Extended JSON <-> Lua --------------------------------------------------------------------------

local readers = {
    ["$numberInt"] = core.int64,
    ["$numberLong"] = core.int64,
    ["$numberDouble"] = function(text)
        return core.double(tonumber(text) or ({ Infinity = math.huge, ["-Infinity"] = -math.huge })[text] or 0 / 0)
            :tonumber()
    end,
    ["$numberDecimal"] = core.decimal,
    ["$oid"] = core.objectid,
    ["$uuid"] = core.uuid,
    ["$date"] = function(date)
        if type(date) == "string" then
            return core.timestamp(date)
        end
        local ms = type(date) == "table" and tonumber(date["$numberLong"]) or tonumber(date)
        local seconds = ms >= 0 and math.floor(ms / 1000) or math.ceil(ms / 1000)
        return core.timestamp(seconds, math.floor((ms - seconds * 1000) * 1000000 + 0.5))
    end,
}

---A JSON tree (as core.json.decode gives it) with its Extended JSON members turned into values.
---@param tree any
---@return any
function functions.from_ejson(tree)
    if type(tree) ~= "table" then
        return tree
    end
    local name, only = next(tree)
    local reader = type(name) == "string" and next(tree, name) == nil and readers[name]
    if reader then
        return reader(only)
    end
    if type(tree["$binary"]) == "table" then
        local bytes = core.auth.base64_decode(tree["$binary"].base64)
        if tree["$binary"].subType == "04" and #bytes == 16 then
            local hex = bytes:gsub(".", function(c)
                return ("%02x"):format(c:byte())
            end)
            return core.uuid((hex:gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x+)$", "%1-%2-%3-%4-%5")))
        end
        return core.binary(bytes)
    end
    local copy = {}
    for key, value in pairs(tree) do
        copy[key] = functions.from_ejson(value)
    end
    return getmetatable(tree) and json.array(copy) or copy
end

local function integer_to_ejson(text)
    local small = tonumber(text)
    if small >= -2147483648 and small <= 2147483647 then
        return { ["$numberInt"] = text }
    end
    return { ["$numberLong"] = text }
end

local writers = {
    int = function(value)
        return integer_to_ejson(tostring(value):gsub("%.0$", ""))
    end,
    float = function(value)
        return { ["$numberDouble"] = ("%.17g"):format(value:tonumber()) }
    end,
    double = function(value)
        local number = type(value) == "number" and value or value:tonumber()
        local special = number ~= number and "NaN"
            or number == math.huge and "Infinity"
            or number == -math.huge and "-Infinity"
        return { ["$numberDouble"] = special or ("%.17g"):format(number) }
    end,
    decimal = function(value)
        return { ["$numberDecimal"] = tostring(value) }
    end,
    objectid = function(value)
        return { ["$oid"] = tostring(value) }
    end,
    uuid = function(value)
        return { ["$binary"] = { base64 = core.auth.base64_encode(value:bytes()), subType = "04" } }
    end,
    binary = function(value)
        return { ["$binary"] = { base64 = core.auth.base64_encode(value:bytes()), subType = "00" } }
    end,
    timestamp = function(value)
        local ms = value.seconds * 1000 + math.floor(value.nanoseconds / 1000000)
        return { ["$date"] = { ["$numberLong"] = ("%d"):format(ms) } }
    end,
}

---The reverse: canonical Extended JSON as a tree for core.json.encode.
---@param value any
---@return any
function functions.to_ejson(value)
    if value == nil or value == core.null then
        return json.null
    end
    if type(value) == "string" or type(value) == "boolean" then
        return value
    end
    if type(value) == "table" then
        local copy = {}
        for key, member in pairs(value) do
            copy[key] = functions.to_ejson(member)
        end
        return (getmetatable(value) or value[1] ~= nil) and json.array(copy) or copy
    end
    local writer = writers[core.typeof(value)]
    if not writer then
        error(("a function cannot return a %s"):format(type(value)), 0)
    end
    return writer(value)
end

-- ---- the call ---------------------------------------------------------------------------------------

---@param app syncline.services.App
---@param user syncline.services.User
---@param request syncline.services.Request
---@return syncline.services.Response
function functions.call(app, user, request)
    local body = http.object(request)
    if type(body.service) == "string" then
        http.refuse(404, ("service not found: '%s'"):format(body.service), "ServiceNotFound")
    end
    local name = http.member(body, "name")
    local fn = app.functions[name]
    if not fn then
        http.refuse(404, ("function not found: '%s'"):format(name), "FunctionNotFound")
    end
    local args = functions.from_ejson(body.arguments or {})
    if type(args) ~= "table" then
        http.refuse(400, "'arguments' must be an array", "BadRequest")
    end
    local ok, result = pcall(fn, { user = user, app = app.id }, args)
    local encoded
    if ok then
        ok, encoded = pcall(function()
            return json.encode(functions.to_ejson(result))
        end)
        result = ok and result or encoded
    end
    if not ok then
        app.log("info", "a function failed", { app = app.id, name = name, reason = tostring(result) })
        http.refuse(400, tostring(result), "FunctionExecutionError")
    end
    -- With a charset SDKs do not look for an error envelope in the result, which may have a member
    -- named `error` of its own.
    return { status = 200, headers = { ["Content-Type"] = "application/json; charset=utf-8" }, body = encoded }
end

return functions
