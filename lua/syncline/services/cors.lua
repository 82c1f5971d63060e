--- What a page of another origin may do (protocol/5-app-services-http.md, 15).
local cors = {}

local METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
local HEADERS = "Authorization, Content-Type, Accept"

---Adds the headers that every answer needs, errors included.
---@param response syncline.services.Response
---@param origin string? the request's Origin
---@param allowed string[]? origins that may call; nil = all
---@return syncline.services.Response
function cors.decorate(response, origin, allowed)
    local headers = response.headers
    if not allowed then
        headers["Access-Control-Allow-Origin"] = "*"
        return response
    end
    headers.Vary = "Origin"
    for _, candidate in ipairs(allowed) do
        if candidate == origin then
            headers["Access-Control-Allow-Origin"] = origin
        end
    end
    return response
end

---The answer to a preflight request.
---@return syncline.services.Response
function cors.preflight()
    return {
        status = 204,
        headers = {
            ["Access-Control-Allow-Methods"] = METHODS,
            ["Access-Control-Allow-Headers"] = HEADERS,
            ["Access-Control-Max-Age"] = "3600",
        },
        body = "",
    }
end

---May a page of this origin open a sync connection? CORS does not cover WebSockets, so the server
---looks itself; native clients send no Origin.
---@param origin string?
---@param allowed string[]?
---@return boolean
function cors.may_upgrade(origin, allowed)
    if not allowed or not origin then
        return true
    end
    for _, candidate in ipairs(allowed) do
        if candidate == origin then
            return true
        end
    end
    return false
end

return cors
