-- The operator's interface of a running server: requests in, answers out. Whoever shows the token of
-- this run, which lies in a file that only the owner of the storage folder can read, may do everything.

local auth = require("syncline.auth")
local http = require("syncline.services.http")

local admin = {}
admin.__index = admin

local STATUS = { not_found = 404, exists = 409, invalid = 400, storage = 500 }

---@class syncline.server.Admin
---@field operations syncline.server.Operations
---@field token string

---@param options { operations: syncline.server.Operations, token: string, version: string, log: function? }
---@return syncline.server.Admin
function admin.new(options)
    return setmetatable({
        operations = options.operations, token = options.token, version = options.version,
        log = options.log or function() end,
    }, admin)
end

---What only a holder of the secret can answer to a nonce.
---@param secret string
---@param nonce string
---@return string
function admin.proof(secret, nonce)
    -- Twice, so that no digest can be continued to that of a longer text.
    return auth.hex(auth.sha256(secret .. auth.sha256(secret .. "proof of the server" .. nonce)))
end

-- The result of an operation as an answer.
local function answer(status, value, message, code)
    if value == nil then return http.json(STATUS[code] or 500, { error = message, error_code = code }) end
    return http.json(status, value)
end

-- Proves that this is the server which wrote the file with the secret: a command says nothing before. The port of a
-- server that was killed may be somebody else's by now.
local function prove(self, request)
    local nonce = request.query.nonce
    if not nonce or not nonce:match("^%x+$") or #nonce > 128 then return http.error(400, "nonce: hexadecimal digits expected") end
    return http.json(200, { server = "syncline", version = self.version, proof = admin.proof(self.token, nonce) })
end

local function list_apps(self)
    return answer(200, self.operations:apps())
end

local function create_app(self, request)
    local body = http.object(request)
    if body.definition == nil then body.definition = {} end
    local app, message, code = self.operations:create_app(body.id, body.definition)
    if app then self.log("notice", "app created", { app = app.id }) end
    return answer(201, app, message, code)
end

local function show_app(self, _, id)
    return answer(200, self.operations:app(id))
end

local function list_keys(self)
    return answer(200, self.operations:keys())
end

local function rotate_keys(self, request)
    local keys, message, code = self.operations:rotate_keys({ now = http.object(request).now == true })
    if keys then self.log("notice", "a new key signs tokens", { id = keys[1].id }) end
    return answer(200, keys, message, code)
end

local function list_users(self, _, app)
    return answer(200, self.operations:users(app))
end

local function create_user(self, request, app)
    local user, message, code = self.operations:create_user(app, http.object(request))
    if user then self.log("notice", "user created", { app = app, user = user.id }) end
    return answer(201, user, message, code)
end

local function create_link(self, request, app)
    local link, message, code = self.operations:create_link(app, http.object(request))
    if link then self.log("notice", "link made for an account", { app = app, to = link.to }) end
    return answer(201, link, message, code)
end

local function show_user(self, _, app, id)
    return answer(200, self.operations:user(app, id))
end

local function delete_user(self, _, app, id)
    local found, message, code = self.operations:delete_user(app, id)
    if not found then return answer(404, nil, message, code) end
    self.log("notice", "user deleted", { app = app, user = id })
    return http.json(204)
end

local function switch(disabled)
    return function(self, _, app, id)
        local user, message, code = self.operations:set_disabled(app, id, disabled)
        if user then self.log("notice", disabled and "user disabled" or "user enabled", { app = app, user = id }) end
        return answer(200, user, message, code)
    end
end

local function explain(self, request, app)
    local body = http.object(request)
    return answer(200, self.operations:explain(app, body.user, body.partition))
end

local function list_realms(self, request)
    return answer(200, self.operations:realms({ app = request.query.app }))
end

local function show_belongings(self, _, app, id)
    return answer(200, self.operations:belongings(app, id))
end

local function erase_realm(self, request, app)
    local done, message, code = self.operations:erase_realm(app, http.object(request).partition)
    if done then self.log("notice", "realm erased", { app = app }) end
    return answer(200, done, message, code)
end

local function erase_user(self, _, app, id)
    local removed, message, code = self.operations:erase_user(app, id)
    if removed then self.log("notice", "user erased", { app = app, user = id, realms = removed.realms }) end
    return answer(200, removed, message, code)
end

local function compact(self, request)
    local body = http.object(request)
    local list, message, code = self.operations:compact({ app = body.app, client_ttl = body.client_ttl })
    if list then self.log("notice", "compaction asked for", { app = body.app, client_ttl = body.client_ttl }) end
    return answer(202, list, message, code)
end

local function show_compaction(self)
    return answer(200, self.operations:compaction({}))
end

local APP = "^/admin/v1/apps/([%w_-]+)"
local USER = APP .. "/users/([%w_.-]+)"

local ROUTES = {
    { "^/admin/v1/apps$", { GET = list_apps, POST = create_app } },
    { APP .. "$", { GET = show_app } },
    { APP .. "/users$", { GET = list_users, POST = create_user } },
    { APP .. "/links$", { POST = create_link } },
    { USER .. "$", { GET = show_user, DELETE = delete_user } },
    { USER .. "/disable$", { PUT = switch(true) } },
    { USER .. "/enable$", { PUT = switch(false) } },
    { USER .. "/belongings$", { GET = show_belongings } },
    { USER .. "/erase$", { POST = erase_user } },
    { "^/admin/v1/realms$", { GET = list_realms } },
    { APP .. "/realms/erase$", { POST = erase_realm } },
    { APP .. "/permissions/explain$", { POST = explain } },
    { "^/admin/v1/keys$", { GET = list_keys, POST = rotate_keys } },
    { "^/admin/v1/compaction$", { POST = compact, GET = show_compaction } },
}

local function route(self, request)
    if request.path == "/admin/v1/proof" then return prove(self, request) end
    if not auth.equal(auth.sha256(self.token), auth.sha256(http.bearer(request) or "")) then
        return http.error(401, "the token of this run of the server is needed")
    end
    for _, entry in ipairs(ROUTES) do
        local first, second = request.path:match(entry[1])
        if first then
            local handler = entry[2][request.method]
            if not handler then return http.error(405, "method not allowed") end
            return handler(self, request, first, second)
        end
    end
    return http.error(404, "not found")
end

---Answers one request, at once or later. Never raises.
---@param request syncline.services.Request
---@param done fun(answer: syncline.services.Response)
function admin:handle(request, done)
    http.run(function(message)
        self.log("error", "an operator's request failed", { path = request.path, reason = message })
    end, function(result)
        result.headers["Cache-Control"] = "no-store"
        done(result)
    end, route, self, request)
end

return admin
