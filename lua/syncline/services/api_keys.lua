--- API keys that a user makes for itself (protocol/5-app-services-http.md, 10).
local core = require("syncline.core")
local http = require("syncline.services.http")

local api_keys = {}

-- As Atlas App Services has it.
local MAX_KEYS = 20

-- Keys that nobody can log in with are not made; those that are there can still be seen and deleted.
local function settings(app)
    local found = app.providers["api-key"]
    if not found then
        http.refuse(404, "authentication via 'api-key' is unsupported", "AuthProviderNotFound")
    end
    return found
end

local function public(key)
    return { _id = key._id, name = key.name, disabled = key.disabled }
end

local function find(app, user, id)
    local key = app.directory:api_key(user.id, id)
    if not key then
        http.refuse(404, "API key not found", "APIKeyNotFound")
    end
    return key
end

function api_keys.create(app, user, request)
    local most = settings(app).max_keys or MAX_KEYS
    local name = http.object(request).name
    if type(name) ~= "string" or name == "" then
        http.refuse(400, "'name' is a required string")
    end
    if #name > 64 or not name:match("^[%w_-]+$") then
        http.refuse(400, "can only contain ASCII letters, numbers, underscores, and hyphens", "InvalidParameter")
    end
    local key, code = app.directory:create_api_key(user.id, name, most)
    if code == "full" then
        http.refuse(400, ("a user may have %d API keys"):format(most), "BadRequest")
    elseif not key then
        http.refuse(409, "API key with name already exists", "APIKeyAlreadyExists")
    end
    return http.json(201, key)
end

function api_keys.list(app, user)
    local list = {}
    for i, key in ipairs(app.directory:api_keys(user.id)) do
        list[i] = public(key)
    end
    return http.json(200, core.json.array(list))
end

function api_keys.get(app, user, _, id)
    return http.json(200, public(find(app, user, id)))
end

function api_keys.delete(app, user, _, id)
    find(app, user, id)
    app.on_revoke(user.id, app.directory:delete_api_key(user.id, id))
    return http.json(204)
end

function api_keys.enable(app, user, _, id)
    settings(app)
    find(app, user, id)
    app.directory:set_api_key_disabled(user.id, id, false)
    return http.json(204)
end

function api_keys.disable(app, user, _, id)
    find(app, user, id)
    app.on_revoke(user.id, app.directory:set_api_key_disabled(user.id, id, true))
    return http.json(204)
end

return api_keys
