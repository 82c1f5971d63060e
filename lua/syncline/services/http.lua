--- Answers of the App Services client API: envelopes, codes and headers in the form that SDKs parse
--- (protocol/5-app-services-http.md, 2).
local json = require("syncline.core").json
local task = require("syncline.services.task")

local http = {}

---@class syncline.services.Request
---@field method string upper case
---@field path string decoded once, without query
---@field query table<string, string> decoded members of the query
---@field headers table<string, string> names in lower case
---@field body string
---@field peer string address of the client, for limits

---@class syncline.services.Response
---@field status integer
---@field headers table<string, string>
---@field body string

-- The value must be exactly this: SDKs compare it whole before they look at an error body (2.2).
local JSON = "application/json"

---A JSON answer. An answer without a body has no Content-Type.
---@param status integer
---@param value any nil for no body
---@return syncline.services.Response
function http.json(status, value)
    if value == nil then
        return { status = status, headers = {}, body = "" }
    end
    return { status = status, headers = { ["Content-Type"] = JSON }, body = json.encode(value) }
end

---A plain-text answer, for load shedding and pages.
---@param status integer
---@param text string
---@return syncline.services.Response
function http.text(status, text)
    return { status = status, headers = { ["Content-Type"] = "text/plain; charset=utf-8" }, body = text }
end

---An error answer. `code` must be a name of section 2.4 or nil: older SDKs cannot bear others.
---@param status integer
---@param message string
---@param code string?
---@return syncline.services.Response
function http.error(status, message, code)
    return http.json(status, { error = message, error_code = code })
end

---Raises an error answer from inside a handler; `http.protect` turns it back into one.
---@param status integer
---@param message string
---@param code string?
function http.refuse(status, message, code)
    error({ answer = http.error(status, message, code) }, 0)
end

---Calls a handler, which may wait (task.lua), and passes its answer on, or the one it raised; any other
---error becomes a 500 and goes to `report`.
---@param report fun(message: string)
---@param done fun(answer: syncline.services.Response)
---@param handler fun(...): syncline.services.Response
---@param ... any
function http.run(report, done, handler, ...)
    task.run(function(ok, result)
        if ok then
            return done(result)
        end
        if type(result) == "table" and result.answer then
            return done(result.answer)
        end
        report(tostring(result))
        done(http.error(500, "internal server error", "InternalServerError"))
    end, handler, ...)
end

---Refuses with 429: too many tries.
---@param wait number seconds after which it may be tried again
function http.too_many(wait)
    local answer = http.text(429, "too many attempts, try again later\n")
    answer.headers["Retry-After"] = ("%d"):format(math.ceil(wait))
    error({ answer = answer }, 0)
end

---The JSON object in a request body; refuses anything else.
---@param request syncline.services.Request
---@return table
function http.object(request)
    local value = json.decode(request.body)
    if type(value) ~= "table" or value[1] ~= nil then
        http.refuse(400, "the request body must be a JSON object", "BadRequest")
    end
    return value
end

---A required text member of a body.
---@param body table
---@param name string
---@return string
function http.member(body, name)
    local value = body[name]
    if type(value) ~= "string" then
        http.refuse(400, ("'%s' is a required string"):format(name), "MissingParameter")
    end
    return value
end

---Text with `%XX` in it, decoded once.
---@param text string
---@return string
function http.unescape(text)
    return (text:gsub("%%(%x%x)", function(digits)
        return string.char(tonumber(digits, 16))
    end))
end

---The members of a query, or of a form that a page sends.
---@param text string
---@return table<string, string>
function http.form(text)
    local out = {}
    for pair in text:gmatch("[^&]+") do
        local name, value = pair:match("^([^=]*)=?(.*)$")
        out[http.unescape((name:gsub("%+", " ")))] = http.unescape((value:gsub("%+", " ")))
    end
    return out
end

---The token of an Authorization header with the Bearer scheme (in any case), or nil.
---@param request syncline.services.Request
---@return string?
function http.bearer(request)
    local scheme, token = (request.headers.authorization or ""):match("^(%a+)%s+(%S+)%s*$")
    if scheme and scheme:lower() == "bearer" then
        return token
    end
end

return http
