--- The App Services client API: everything a Realm SDK asks over HTTP before and beside sync
--- (protocol/5-app-services-http.md). Knows nothing of sockets: requests in, answers out.
local addresses = require("syncline.services.addresses")
local api_keys = require("syncline.services.api_keys")
local apps = require("syncline.services.app")
local cors = require("syncline.services.cors")
local functions = require("syncline.services.functions")
local http = require("syncline.services.http")
local limits = require("syncline.services.limits")
local pages = require("syncline.services.pages")
local tokens = require("syncline.services.tokens")
local userpass = require("syncline.services.userpass")

local services = {}
services.__index = services

---@class syncline.services.Services
---@field apps table<string, syncline.services.App>
---@field base_url string origin that clients use, without a slash at the end
---@field ws_url string the same with ws or wss

---Opens the apps of a configuration.
---@class syncline.services.Options
---@field apps table<string, table> configuration per app id
---@field directory string folder of the directory files
---@field keyring { signing: userdata, accepted: userdata[] } the key of our tokens, and all that are accepted; may change
---@field base_url string origin that clients use
---@field clock fun(): integer Unix seconds
---@field tick (fun(): number)? seconds of a clock that never jumps; without it `clock`
---@field later (fun(seconds: number, action: fun()))? calls back after some time; without it nothing waits
---@field limits table? as limits.check returns them
---@field hashing syncline.services.Hashing? threads for passwords; without it everybody waits for a hash
---@field log (fun(level: string, message: string, facts: table?))?
---@field mail (fun(mail: table))? sends confirmation and reset mails
---@field on_revoke (fun(app: syncline.services.App, user: string, sessions: table<string, boolean>?))? open connections have to end
---@field fetch (fun(options: table): any)? HTTP request of the loop, for keys behind a URL; without it they are not fetched

---@param options syncline.services.Options
---@return syncline.services.Services?
---@return string? message
function services.open(options)
    local self = setmetatable({ apps = {}, clock = options.clock, log = options.log or function() end }, services)
    self:set_base_url(options.base_url)
    self.mail = options.mail or function(mail)
        -- The link opens the account, so it stays out of the log.
        self.log("warning", "a mail was not sent: 'mail' is not configured; 'syncline user link' prints such links",
            { app = mail.app, to = mail.to, purpose = mail.purpose })
    end
    self.tick, self.later, self.limits = options.tick or options.clock, options.later, options.limits or limits.check()
    self.hashing = options.hashing
    self.directory, self.keyring = options.directory, options.keyring
    self.fetch, self.on_revoke = options.fetch, options.on_revoke
    for id, config in pairs(options.apps) do
        local app, message, code = self:add(id, config)
        if not app then
            self:close()
            return nil, message, code
        end
    end
    return self
end

---Opens one more app.
---@param id string
---@param config table the app's part of a configuration
---@return syncline.services.App?
---@return string? message
---@return string|number|nil code
function services:add(id, config)
    local app, message, code = apps.open({
        id = id,
        config = config,
        path = ("%s/%s.realm"):format(self.directory, id),
        keyring = self.keyring,
        clock = self.clock,
        tick = self.tick,
        later = self.later,
        limits = self.limits,
        hashing = self.hashing,
        log = self.log,
        mail = config.mail or self.mail,
        base_url = self.base_url,
        fetch = self.fetch,
    })
    if not app then
        return nil, message, code
    end
    if self.on_revoke then
        app.on_revoke = function(user_id, sessions)
            self.on_revoke(app, user_id, sessions)
        end
    end
    self.apps[id] = app
    return app
end

---The origin that clients are told; known late if the port is chosen by the system.
---@param base_url string
function services:set_base_url(base_url)
    self.base_url = base_url:gsub("/+$", "")
    self.ws_url = self.base_url:gsub("^http", "ws")
    for _, app in pairs(self.apps) do
        app.base_url = self.base_url
    end
end

function services:close()
    for _, app in pairs(self.apps) do
        app:close()
    end
    self.apps = {}
end

-- ---- handlers -------------------------------------------------------------------------------------

local function app_named(self, id)
    local app = self.apps[id]
    if not app then
        http.refuse(404, ("cannot find app using Client App ID '%s'"):format(id))
    end
    return app
end

-- The paths without an app id: the token names the app.
local function app_of_token(self, request)
    local token = http.bearer(request)
    local app = token and self.apps[tokens.audience(token) or ""]
    if not token then
        http.refuse(401, "must authenticate first", "MissingAuthReq")
    end
    if not app then
        http.refuse(401, "signature is invalid", "InvalidSession")
    end
    return app
end

local function location(self, _, id)
    app_named(self, id)
    return http.json(200, {
        deployment_model = "LOCAL",
        location = "LOCAL",
        hostname = self.base_url,
        ws_hostname = self.ws_url,
    })
end

local function login(self, request, id, provider)
    local app = app_named(self, id)
    if request.query.link == "true" then
        return app:link(provider, request)
    end
    return app:log_in(provider, request)
end

local function email_call(self, request, id, action)
    local app = app_named(self, id)
    if not userpass.has(action) then
        http.refuse(404, "not found")
    end
    local place = addresses.place(request.peer)
    app:limit("log_in", place)
    return userpass.handle(app, action, http.object(request), place)
end

-- The page of a mail's link.
local function show_page(self, request, id, purpose)
    return pages.show(app_named(self, id), purpose, request)
end

local function submit_page(self, request, id, purpose)
    local app = app_named(self, id)
    app:limit("log_in", addresses.place(request.peer))
    return pages.submit(app, purpose, request)
end

local function call_function(self, request, id)
    local app = app_named(self, id)
    local user = app:authenticate(request, "access")
    return functions.call(app, user, request)
end

local function push(self, request, id, service)
    local app = app_named(self, id)
    app:authenticate(request, "access")
    http.refuse(404, ("service not found: '%s'"):format(service), "ServiceNotFound")
end

local function by_token(method)
    return function(self, request)
        local app = app_of_token(self, request)
        return app[method](app, request)
    end
end

local function by_key(action)
    return function(self, request, key)
        local app = app_of_token(self, request)
        local user = app:authenticate(request, "refresh")
        return api_keys[action](app, user, request, key)
    end
end

local APP = "^/api/client/v2%.0/app/([%w_-]+)"
local AUTH = "^/api/client/v2%.0/auth"
local KEY = AUTH .. "/api_keys/(%x+)"
local PAGE = "^/app/([%w_-]+)"

-- Pattern of the path, then handler per method. The first pattern that fits decides.
local ROUTES = {
    { APP .. "/location$", { GET = location } },
    { APP .. "/auth/providers/([%w-]+)/login$", { POST = login } },
    { APP .. "/auth/providers/local%-userpass/([%w/]+)$", { POST = email_call } },
    { APP .. "/functions/call$", { POST = call_function } },
    { APP .. "/push/providers/([^/]+)/registration$", { PUT = push, DELETE = push } },
    { AUTH .. "/profile$", { GET = by_token("profile") } },
    { AUTH .. "/session$", { POST = by_token("refresh"), DELETE = by_token("log_out") } },
    { AUTH .. "/delete$", { DELETE = by_token("delete_self") } },
    { AUTH .. "/api_keys$", { POST = by_key("create"), GET = by_key("list") } },
    { KEY .. "$", { GET = by_key("get"), DELETE = by_key("delete") } },
    { KEY .. "/enable$", { PUT = by_key("enable") } },
    { KEY .. "/disable$", { PUT = by_key("disable") } },
    { PAGE .. "/(reset)$", { GET = show_page, POST = submit_page } },
    { PAGE .. "/(confirm)$", { GET = show_page, POST = submit_page } },
}

-- Every look at a path takes the same one: several slashes at the start are one.
local function plain_path(request)
    return (request.path:gsub("^/+", "/"))
end

local function route(self, request)
    if request.method == "OPTIONS" then
        return cors.preflight()
    end
    local path = plain_path(request)
    for _, entry in ipairs(ROUTES) do
        local captures = { path:match(entry[1]) }
        if captures[1] then
            local handler = entry[2][request.method]
            if not handler then
                local allow = {}
                for method in pairs(entry[2]) do
                    allow[#allow + 1] = method
                end
                table.sort(allow)
                local answer = http.error(405, "method not allowed")
                answer.headers.Allow = table.concat(allow, ", ")
                return answer
            end
            return handler(self, request, captures[1], captures[2])
        end
    end
    return http.error(404, "not found")
end

---Answers one request, at once or later. Never raises.
---@param request syncline.services.Request
---@param done fun(answer: syncline.services.Response)
function services:handle(request, done)
    http.run(function(message)
        self.log("error", "a request failed", { path = request.path, reason = message })
    end, function(answer)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        local app = self.apps[plain_path(request):match(APP .. "/") or ""]
        done(cors.decorate(answer, request.headers.origin, app and app.origins))
    end, route, self, request)
end

---Checks the upgrade request of a sync connection: token in `baas_at` or in the Authorization header.
---@param request syncline.services.Request path `/api/client/v2.0/app/<id>/realm-sync`
---@return { app: syncline.services.App, user: syncline.services.User, claims: table }? session
---@return integer? close_code 4001 (refresh the token) or 4002 (never come back)
---@return string? reason
function services:authorize_sync(request)
    local id = plain_path(request):match(APP .. "/realm%-sync$")
    local app = id and self.apps[id]
    local in_query, in_header = request.query.baas_at, http.bearer(request)
    local token = in_query or in_header
    if in_query and in_header and in_query ~= in_header then
        return nil, 4001, "two different tokens"
    end
    if not token then
        return nil, 4001, "no access token"
    end
    if not id then
        app = self.apps[tokens.audience(token) or ""]
    end
    if not app then
        return nil, 4001, "unknown app"
    end
    if not cors.may_upgrade(request.headers.origin, app.origins) then
        return nil, 4002, "origin not allowed"
    end
    local user, claims = app:user_of(token, "access")
    if not user then
        return nil, 4001, claims
    end
    return { app = app, user = user, claims = claims }
end

return services
