-- Synchronisation of realms: connections to servers, shared by the realms of one user.

local check = require("syncline.check")
local core = require("syncline.core")
local loop = require("syncline.loop")
local reset = require("syncline.reset")
local Session = require("syncline.session")
local transact = require("syncline.transact")

local client = {}

---@class syncline.Connection
local Connection = {}
Connection.__index = Connection

-- Connections by server, app and user, while they have sessions.
local connections = {}

---What happens to an error of a connection that no session has a handler for; default: nothing, because
---connections come back by themselves (`session:connection_state()` tells).
---@type fun(problem: table)|nil
client.on_connection_error = nil

-- ---- the socket -------------------------------------------------------------------------------------

local CAUSES = { [4400] = "resolve", [4401] = "connect", [4402] = "read", [4403] = "write", [1015] = "tls" }

local FAILURES = { resolve = true, connect = true, tls = true }

local function http_status(code)
    return type(code) == "number" and code >= 200 and code <= 599
end

-- How a WebSocket ended, in the words of the core.
local function ended(self, attempt, code, reason, why, why_code)
    if http_status(why_code) then
        self.core:refused(attempt, why_code, why or "")
    elseif code and code ~= 1006 and not why then
        self.core:closed(attempt, code, reason or "")
    else
        self.core:lost(attempt, CAUSES[why_code] or "read", why or reason or "")
    end
end

local ADVICE = {
    connect = "is the server running there, and is the port right?",
    resolve = "is the name right, and is there a network?",
    tls = "a certificate that the system does not know is given with ca_file, or tls = { ca = FILE } of syncline.app; and does " ..
        "the server speak TLS on that port?",
}

-- The server cannot be reached. The core tries again by itself; sessions are told once for each reason, and while
-- there never was a connection nobody waits for one in vain.
local function unreachable(self, cause, why)
    local message = ("cannot reach %s: %s"):format(self.origin, why)
    local problem = { class = "connection", code = cause, cause = cause, name = "unreachable", message = message,
        advice = ADVICE[cause], try_again = true }
    self.unreachable, self.failed_at = problem, loop.get():now()
    local news = self.told ~= message
    self.told = message
    local sessions = {}
    for number, session in pairs(self.sessions) do sessions[number] = session end
    for _, session in pairs(sessions) do
        if session.unreached then session:unreached(problem, news, not self.was_open) end
    end
end

-- Why the last attempt failed, as long as nothing but the place may be wrong.
local function settle_failure(self)
    local failure = self.failure
    if not failure or self.locating or self.closed then return end
    self.failure = nil
    unreachable(self, failure[1], failure[2])
end

-- Somebody waits: whether the server can be reached now shows within a second, and not at the end of a pause. Once a
-- second at most, so that a program that waits in a circle does not knock without end.
function Connection:try_soon()
    if not self.unreachable or self.was_open or self.retry then return end
    local since = loop.get():now() - self.failed_at
    self.retry = loop.get():timer(math.max(0, 1 - since), function()
        self.retry = nil
        if self.closed or self.is_open then return end
        self.core:reconnect_now()
        self:pump()
    end)
end

function Connection:open_socket(event)
    local attempt = event.attempt
    self.attempt = attempt
    local socket, message, code
    local opened = false
    local handlers = {
        url = self.origin .. event.target, protocols = event.offer, tls = self.tls, headers = self.headers,
        timeout = self.connect_timeout,
        on_open = function(ws, protocol, answer)
            opened = true
            self.core:set_features(attempt, answer["syncline-features"] or "")
            self.core:opened(attempt, protocol or "")
            self.core:attach(ws, attempt, self.wake)
            self.is_open, self.was_open = true, true
            self.unreachable, self.told = nil, nil
            self:pump()
        end,
        on_close = function(_, close_code, reason, why, why_code)
            if self.socket == socket then
                self.socket, self.is_open = nil, false
            end
            -- What came before the end counts, however many steps of the loop it takes.
            local function finish()
                while self.core:turn() do self:dispatch() end
                if self.core:waiting() and not self.closed then return loop.get():timer(0, finish) end
                local cause = not opened and CAUSES[why_code]
                self.failure = FAILURES[cause] and { cause, why or reason or "" } or nil
                ended(self, attempt, close_code, reason, why, why_code)
                self:pump()
                settle_failure(self)
            end
            finish()
        end,
    }
    socket, message, code = loop.get():connect_websocket(handlers)
    self.socket, self.is_open = socket, false
    if not socket then self.core:lost(attempt, CAUSES[code] or "connect", message) end
end

function Connection:close_socket(event)
    local socket = self.socket
    if not socket or event.attempt ~= self.attempt then return end
    self.socket, self.is_open = nil, false
    socket:close(event.code)
end

-- ---- events -----------------------------------------------------------------------------------------

local function no_token(self, message, code)
    for _, session in pairs(self.sessions) do
        session:fail({ class = "auth", code = code or 0, name = "TokenRefused", message = message,
            advice = "log in again, or give a new token with session:set_token", try_again = false })
    end
end

local function want_token(self)
    local provider = self.token_provider
    if not provider then return no_token(self, "the server refused the access token") end
    if self.asking then return end
    self.asking = true
    provider(function(token, message, code)
        self.asking = false
        if token then
            self.core:set_token(token)
        else
            no_token(self, message or "there is no new access token", code)
        end
        self:pump()
    end)
end

local MOVED_PAUSE = 10 -- seconds; two servers that name each other must not make a client run in circles

-- The server says that it is elsewhere, or was never reached where it is remembered to be. The core tries
-- again by itself after a while; if there is a new place, at once.
local function want_location(self)
    local provider = self.location_provider
    if not provider or self.locating then return end
    self.locating = true
    provider(function(origin, path)
        self.locating = false
        if self.closed or not origin or (origin == self.origin and path == self.route) then return settle_failure(self) end
        self.failure = nil -- of the old place
        local now = loop.get():now()
        local again = self.moved and now - self.moved < MOVED_PAUSE
        local same_path = path == self.route
        self.origin, self.route, self.moved = origin, path, now
        if not again or not same_path then self.core:set_route(path, true) end
        want_token(self)
        self:pump()
    end)
end

local HANDLERS = {
    connect = Connection.open_socket,
    disconnect = Connection.close_socket,
    token_wanted = want_token,
    location_wanted = want_location,
    log_out = function(self)
        if self.on_log_out then self.on_log_out() end
    end,
    error = function(self, event)
        self.last_error = event.error
        local heard = false
        for _, session in pairs(self.sessions) do
            session.last_error = event.error
            if not event.error.try_again then
                session:handle(event)
                heard = true
            end
        end
        if not heard and client.on_connection_error then client.on_connection_error(event.error) end
    end,
    log = function(self, event)
        for _, session in pairs(self.sessions) do
            if session.on_log then session.on_log(event.level, event.text) end
        end
    end,
    connection_state = function(self, event)
        for _, session in pairs(self.sessions) do
            if session.on_connection_state then session.on_connection_state(event.state, event.delay) end
        end
    end,
}

function Connection:dispatch()
    while true do
        local event = self.core:next_event()
        if not event then return end
        if event.session then
            local session = self.sessions[event.session]
            if session then session:handle(event) end
        else
            local handler = HANDLERS[event.type]
            if handler then handler(self, event) end
        end
    end
end

-- Serialized transactions wait for much that no event tells. Whether there are any.
local function advance(self)
    local waiting = false
    for _, session in pairs(self.sessions) do
        local jobs = session.transacts -- fresh copies of a client reset have none
        if jobs and jobs[1] then
            transact.advance(session)
            waiting = true
        end
    end
    if waiting ~= (self.eager or false) then
        self.eager = waiting
        self.core:eager(waiting)
    end
    return waiting
end

-- Does everything that can be done now. Called after every wish, and when the core has something to tell
-- (messages and deadlines it deals with by itself); calls from inside (an observer that writes, say) make it
-- go round once more.
function Connection:pump()
    if self.pumping then
        self.again = true
        return
    end
    self.pumping = true
    local ok, problem = pcall(self.cycle)
    self.pumping = false
    local timeout = not self.closed and not self.core:attached() and self.core:timeout()
    if not timeout then
        if self.timer then self.timer:stop() end
    elseif self.timer then
        self.timer:restart(math.min(timeout, 86400))
    else
        self.timer = loop.get():timer(math.min(timeout, 86400), function() self:pump() end)
    end
    if not ok then error(problem, 0) end
end

function Connection:remove(session)
    for number, other in pairs(self.sessions) do
        if other == session then self.sessions[number] = nil end
    end
    if self.closed then return end
    self:pump()
    if next(self.sessions) == nil then
        -- Let the goodbye of the last session out, then go.
        if self.socket and self.is_open then self.socket:close(1000) end
        self.closed = true
        if self.timer then self.timer:stop() end
        if self.retry then self.retry:stop() end
        self.socket, self.is_open = nil, false
        connections[self.key] = nil
    end
end

local function new_connection(options)
    local self = setmetatable({
        key = options.key, origin = options.origin, tls = options.tls, route = options.route, sessions = {},
        token_provider = options.token_provider, headers = options.headers, connect_timeout = options.connect_timeout,
        on_log_out = options.on_log_out, location_provider = options.location_provider,
    }, Connection)
    self.wake = function() self:pump() end
    self.cycle = function()
        repeat
            self.again = false
            self.core:step()
            self:dispatch()
            while self.core:turn() do self:dispatch() end
            if advance(self) then
                while self.core:turn() do self:dispatch() end
            end
        until not self.again
    end
    local message, code
    self.core, message, code = core.client.connection({
        route = options.route, token = options.token or "", route_verified = options.route_verified,
        ack_delay = options.ack_delay or 0.2, ping_period = options.ping_period,
        pong_timeout = options.pong_timeout,
        connect_timeout = options.connect_timeout,
        min_version = options.min_version, max_version = options.max_version,
    })
    if not self.core then return nil, message, code end
    connections[options.key] = self
    return self
end

-- ---- sessions ---------------------------------------------------------------------------------------

local function split_url(url)
    local scheme, host, path = url:match("^(%w+)://([^/?#]+)(/?[^?#]*)")
    local schemes = { ws = "ws", wss = "wss", http = "ws", https = "wss", realm = "ws", realms = "wss" }
    if not scheme or not schemes[scheme] then
        check.fail("sync: '%s' is no URL of a sync server (wss://host:port)", tostring(url))
    end
    return schemes[scheme] .. "://" .. host, path
end

local OPTIONS = {
    url = "string", app_id = "string", token = "string|function", user = "table", partition = "any",
    tls = "table", ca_file = "string", tls_min = "string", verify = "boolean", headers = "table",
    connect_timeout = "number", ping_period = "number", pong_timeout = "number", min_version = "number",
    max_version = "number", on_error = "function", on_state = "function", on_connection_state = "function",
    on_log = "function", on_discard = "function", on_server_lost = "function", reseed = "boolean",
    client_reset = "string|table", paused = "boolean", upload = "boolean", upload_delay = "boolean",
    max_message = "number", subserver = "boolean", state_transfer = "boolean",
}
local INSTEAD = { ca = "ca_file = FILE", app = "app_id = ID", base_url = "url = \"wss://host:port\"",
    access_token = "token = ...", path = "'path' beside 'sync'", schema = "'schema' beside 'sync'" }
local TLS = { ca = "string", min = "string", verify = "boolean" }

---Raises an error for tables of TLS options that hold what they must not.
---@param what string
---@param tls any
function client.check_tls(what, tls)
    check.optional(what .. ", tls", tls, TLS, { ca_file = "ca = FILE", tls_min = "min = \"1.2\"" })
end

local function check_options(options)
    check.options("sync", options, OPTIONS, INSTEAD)
    client.check_tls("sync", options.tls)
    if options.user == nil and options.url == nil then
        check.fail("sync: a 'user' who logged in (app:log_in), or the 'url' of a server, is missing")
    end
    if options.partition == nil then
        check.fail("sync: 'partition' is missing, the value that names the realm on the server (syncline.null is one, too)")
    end
end

-- Less than this, not even what was written in small pieces would fit; more cannot be unpacked.
local MIN_MESSAGE, MAX_MESSAGE = 65536, 268435456

local function check_max_message(size)
    if size and not (size >= MIN_MESSAGE and size <= MAX_MESSAGE and size % 1 == 0) then
        check.fail("sync: option 'max_message': a number of bytes from %d to %d expected", MIN_MESSAGE, MAX_MESSAGE)
    end
end

local function complete_path(path, app_id)
    if path ~= "" and path ~= "/" then return path end
    return ("/api/client/v2.0/app/%s/realm-sync"):format(app_id)
end

-- A place that was asked for in this run is right; one from the last run may be out of date.
local function follow_location(out, user)
    out.route_verified = user.app.located or false
    out.location_provider = function(done)
        user.app:locate(function(ok)
            if not ok then return done() end
            local fine, origin, path = pcall(split_url, user:sync_url())
            if fine then done(origin, complete_path(path, user.app.id)) else done() end
        end)
    end
end

-- Everything a connection needs, from the options of sync.
local function connection_options(options)
    local out = { tls = options.tls, route_verified = true }
    if options.ca_file or options.tls_min or options.verify ~= nil then
        out.tls = { ca = options.ca_file, min = options.tls_min, verify = options.verify }
    end
    for _, name in ipairs({ "headers", "connect_timeout", "ping_period", "pong_timeout", "min_version", "max_version" }) do
        out[name] = options[name]
    end
    local app_id, path
    if options.user then
        local user = options.user
        app_id = user.app.id
        out.origin, path = split_url(options.url or user:sync_url())
        out.tls = out.tls or user.app.tls
        out.token = user.access_token
        out.token_provider = function(done) user:refresh(done) end
        out.on_log_out = function() user:forget() end
        if not options.url then follow_location(out, user) end
    else
        app_id = options.app_id or "default"
        out.origin, path = split_url(options.url)
        out.token = options.token
        if type(options.token) == "function" then
            out.token = options.token()
            out.token_provider = function(done) done(options.token()) end
        end
    end
    path = complete_path(path, app_id)
    out.route = path
    local who = options.user and options.user.id or (type(options.token) == "string" and options.token) or ""
    out.key = table.concat({ out.origin, path, who, tostring(options.user or "") }, "\n")
    return out
end

---Starts synchronising a realm; `syncline.open{..., sync = options}` calls it.
---
---Options: `url` (`wss://host:port`) with `app_id` and `token` (an access token, or a function that
---returns a fresh one), or `user` (see `syncline.app`); `partition` (the value that names the realm on
---the server); `tls = {ca = file, min = "1.2", verify = false}`; `on_error(problem, session)`,
---`on_state(state, delay)`, `on_connection_state(state, delay)`, `on_log(level, text)`;
---`client_reset` (what happens when the server no longer knows the file: `"recover"`, the default without
---`on_discard`, `"recover_or_discard"`, `"discard"` or `"manual"`, or `{mode =, before = fn(realm), after = fn(realm, result)}`);
---`on_discard(problem, session)` (unsent changes had to go; `problem.copy` is a copy of the file from before; default:
---`on_error`); `on_server_lost(problem, session)` (the server has lost most of what it had; return `"accept"` to take
---over what it has now, anything else keeps everything and stops the session);
---`reseed` (true: a server that has lost data gets back what is here, without a question);
---`paused` (start paused); `upload = false` (download only); `upload_delay = false` (do not wait for the first download
---before uploading); `max_message` (bytes, default 16 MiB, which every server takes: a write that
---makes a larger message, after compression, is refused; set the server's `max_message` first);
---`subserver` (this program is itself a server with clients of its own, see `session:allocate`).
---@param realm syncline.Realm
---@param options table
---@return syncline.Session|nil session
---@return string|nil message
---@return string|number|nil code
function client.attach(realm, options)
    check_options(options)
    local client_reset = reset.options(options.client_reset, options.on_discard ~= nil, options.reseed)
    check_max_message(options.max_message)
    local wanted = connection_options(options)
    local connection = connections[wanted.key]
    if not connection then
        local message, code
        connection, message, code = new_connection(wanted)
        if not connection then return nil, message, code end
    end
    local session, message, code = connection.core:session(realm.handle, {
        path = core.ejson.encode(options.partition, "relaxed"), paused = options.paused, upload = options.upload,
        upload_delay = options.upload_delay, subserver = options.subserver, state_transfer = options.state_transfer,
        max_message = options.max_message,
    })
    if not session then return nil, message, code end
    local self = Session._new({
        realm = realm, core = session, connection = connection, partition = options.partition,
        on_error = options.on_error, on_state = options.on_state, on_log = options.on_log,
        on_connection_state = options.on_connection_state, client_reset = client_reset,
        reseed = options.reseed,
        on_discard = options.on_discard, on_server_lost = options.on_server_lost,
    })
    connection.sessions[session:number()] = self
    realm.session = self
    self:listen()
    self:watch_reset()
    connection:pump()
    return self
end

---Closes all sessions of this Lua state.
function client.close_all()
    for _, connection in pairs(connections) do
        for _, session in pairs(connection.sessions) do session:close() end
    end
end

return client
