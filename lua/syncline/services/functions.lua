--- Server-side functions: POST functions/call (protocol/5-app-services-http.md, 11). Arguments and
--- results travel as Extended JSON.
local assign = require("syncline.assign")
local core = require("syncline.core")
local http = require("syncline.services.http")

local json = core.json

local functions = {}

-- SDKs with static types expect 32-bit integers where they fit.
local function integer(value)
    local text = tostring(value):gsub("%.0$", "")
    local number = tonumber(text)
    local name = number >= -2147483648 and number <= 2147483647 and "$numberInt" or "$numberLong"
    return ('{"%s":"%s"}'):format(name, text)
end

---A function's result as canonical Extended JSON. A table is a list if it was made by syncline.list or
---has a value at index 1.
---@param value any
---@return string
function functions.encode(value)
    if value == nil or value == core.null then
        return "null"
    end
    local kind = type(value)
    if kind == "string" or kind == "boolean" then
        return json.encode(value)
    end
    if kind ~= "table" then
        return core.typeof(value) == "int" and integer(value) or core.ejson.encode(value, "canonical")
    end
    local parts = {}
    if value[1] ~= nil or getmetatable(value) == assign.LIST then
        for i, member in ipairs(value) do
            parts[i] = functions.encode(member)
        end
        return "[" .. table.concat(parts, ",") .. "]"
    end
    for name, member in pairs(value) do
        parts[#parts + 1] = json.encode(name) .. ":" .. functions.encode(member)
    end
    table.sort(parts)
    return "{" .. table.concat(parts, ",") .. "}"
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
    local typed = core.ejson.decode(request.body, assign.LIST, assign.DICTIONARY)
    local args = type(typed) == "table" and typed.arguments or {}
    if type(args) ~= "table" then
        http.refuse(400, "'arguments' must be an array", "BadRequest")
    end
    local ok, result = pcall(fn, { user = user, app = app.id }, args)
    local encoded
    if ok then
        ok, encoded = pcall(functions.encode, result)
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
