-- The sync server: HTTP and WebSocket on one port, users and tokens, realm files.

local core = require("syncline.core")
local addresses = require("syncline.services.addresses")
local admin = require("syncline.server.admin")
local auth = require("syncline.auth")
local config = require("syncline.server.config")
local disk = require("syncline.disk")
local files = require("syncline.server.files")
local http = require("syncline.services.http")
local log = require("syncline.log")
local loops = require("syncline.loop")
local Peer = require("syncline.server.peer")
local operations = require("syncline.server.operations")
local passwords = require("syncline.services.passwords")
local partitions = require("syncline.partition")
local services = require("syncline.services")
local stored_apps = require("syncline.server.stored_apps")

---@class syncline.Server
local Server = {}
Server.__index = Server

-- ---- requests ---------------------------------------------------------------------------------------

local function address_of(peer)
    return peer:match("^%[(.*)%]:%d+$") or peer:match("^(.*):%d+$") or peer
end

local function read_request(self, request)
    local forwarded = request.headers["x-forwarded-for"]
    return {
        method = request.method, path = http.unescape(request.path), query = http.form(request.query), headers = request.headers,
        body = request.body, peer = addresses.client(address_of(request.peer), forwarded, self.config.trusted_proxies),
    }
end

-- ---- sync connections -------------------------------------------------------------------------------

-- The user of a token without a login session, signed by a key of the configuration: `syncline token`, or the
-- issuer of a company. It lives as long as it says.
local function standing_session(self, token, app_id)
    local claims = auth.decode(token)
    if not claims or claims.sid ~= nil then return nil end
    app_id = app_id or claims.aud
    local app = type(app_id) == "string" and self.services.apps[app_id]
    if not app then return nil end
    claims = auth.verify(token, self.keyring.accepted, { now = os.time(), leeway = self.config.token_leeway, audience = app_id })
    if not claims or type(claims.sub) ~= "string" or claims.typ ~= nil and claims.typ ~= "access" then return nil end
    if not app:admits_standing(claims) then return nil end
    local data = type(claims.user_data) == "table" and claims.user_data or {}
    return { app = app, user = { id = claims.sub, data = data, custom_data = data, identities = {} }, claims = claims }
end

local function standing_user(self, request)
    local header = request.headers.authorization
    local token = request.query.baas_at or header and header:match("^[Bb]earer%s+(.+)$")
    return token and standing_session(self, token, request.path:match("/app/([%w_-]+)/realm%-sync$"))
end

local function is_sync_path(path)
    path = path:gsub("^/+", "/")
    return path == "/realm-sync" or path:sub(1, 12) == "/realm-sync/"
        or path:match("^/api/client/v2%.0/app/[%w_-]+/realm%-sync$") ~= nil
end

-- The file for a partition, and what the user may do with it.
local function open_partition(self, session, request)
    local partition = partitions.of(request.partition, request.kind)
    local access, why, schema = session.app:access(session.user, partition)
    if access == "none" then
        self.log("notice", "access refused", { user = session.user.id, partition = request.partition, reason = why })
        return nil, "you may not use this partition", 206
    end
    local file, message, code = self.files:open(session.app.id, request.partition)
    if not file then
        self.log("error", "a file cannot be opened", { partition = request.partition, reason = message, code = code })
        return nil, message, code
    end
    session.opened[request.partition] = { partition = partition, access = access, schema = schema }
    return file, access, schema
end

local function refuse(request, chosen, code, reason)
    if chosen.newest_offered >= 8 then
        local socket = request:accept({ protocol = chosen.token })
        if socket then socket:close(code, reason) end
    else
        request:respond({ status = code == 4001 and 401 or 403, headers = { ["Content-Type"] = "text/plain" }, body = reason })
    end
end

local function expire(self, peer, claims)
    if type(claims.exp) ~= "number" then return peer:expire_in(nil) end
    peer:expire_in(claims.exp - os.time() + self.config.token_leeway)
end

-- Whether a user may still do with every opened partition what it was opened for.
local function keeps_access(session, user)
    for _, opened in pairs(session.opened) do
        local access, _, schema = session.app:access(user, opened.partition)
        if access ~= opened.access or schema ~= opened.schema then return false end
    end
    return true
end

-- REFRESH: devices on protocol 3 and below send their new token over the open connection. It has to be good, and of the
-- same user; from then on it counts. Where rights differ, the device has to come back.
local function refresh(self, peer, session, token)
    local renewed = standing_session(self, token, session.app.id)
    if not renewed then
        local user, claims = session.app:user_of(token, "access")
        if not user then return nil end
        renewed = { user = user, claims = claims }
    end
    if renewed.user.id ~= session.user.id then return nil end
    local kept = keeps_access(session, renewed.user)
    session.user, session.claims, peer.session_id = renewed.user, renewed.claims, renewed.claims.sid
    -- The core may not be called back from inside this question of its own.
    self.loop:timer(0, function()
        if kept then expire(self, peer, session.claims) else peer:revoke("the new token gives other rights") end
    end)
    return session.user.id
end

local function begin_sync(self, request, session, chosen)
    self.next_id = self.next_id + 1
    session.opened = {}
    local peer, message
    peer, message = Peer.new({
        loop = self.loop, log = self.log, version = chosen.version, flx = chosen.flx, mismatch = chosen.mismatch,
        user = session.user.id, session_id = session.claims.sid, co_id = ("%x"):format(self.next_id),
        max_sessions = self.config.max_sessions, max_partition = self.config.max_partition,
        max_download = self.config.max_download, idle = self.config.idle_timeout,
        first_timeout = self.config.first_timeout, max_message = self.config.max_message,
        max_skipped = self.config.max_skipped,
        open = function(bind) return open_partition(self, session, bind) end,
        token = function(token) return refresh(self, peer, session, token) end,
        on_end = function(ended) self.peers[ended] = nil end,
    })
    if not peer then
        self.log("error", "a connection could not be made", { reason = message })
        request:respond({ status = 503 })
        return
    end
    local options = peer:callbacks()
    options.protocol = chosen.token
    options.headers = { ["Syncline-Features"] = core.server.features({ state = self.config.state_transfer }) }
    local socket, why = request:accept(options)
    if not socket then
        self.log("notice", "an upgrade failed", { reason = why })
        return
    end
    self.peers[peer] = session.app.id
    self.log("info", "client connected", { client = request.peer or address_of(socket:peer() or ""), user = session.user.id,
        app = session.app.id, protocol = chosen.token, tls = socket:tls_version() or "none" })
    expire(self, peer, session.claims)
    peer:begin(socket)
end

local function on_upgrade(self, request)
    local asked = read_request(self, request)
    if not is_sync_path(asked.path) then
        return request:respond({ status = 404, headers = { ["Content-Type"] = "text/plain" }, body = "no such path\n" })
    end
    local chosen, message = core.server.negotiate(request.headers["sec-websocket-protocol"] or "")
    if not chosen then
        return request:respond({ status = 400, headers = { ["Content-Type"] = "text/plain" }, body = message .. "\n" })
    end
    local session, code, reason = standing_user(self, asked), nil, nil
    if not session then
        session, code, reason = self.services:authorize_sync(asked)
    end
    if not session then
        self.log("notice", "sync refused", { client = asked.peer, reason = reason, code = code })
        return refuse(request, chosen, code, reason)
    end
    begin_sync(self, request, session, chosen)
end

-- The largest body that each kind of request has a use for.
local function body_limit(_, path)
    if path:match("/functions/call$") then return 1024 * 1024 end
    if path:match("/auth/providers/[^/]+/login$") then return 64 * 1024 end
    return 16 * 1024
end

local function answer(self, request, response)
    if not request:waiting() then return end -- the client has gone
    local ok, message = request:respond(response)
    if not ok then
        self.log("error", "an answer could not be sent", { path = request.path, reason = message })
        if request:waiting() then request:respond({ status = 500 }) end
    end
end

local function on_request(self, request)
    self.services:handle(read_request(self, request), function(response) answer(self, request, response) end)
end

-- ---- life -------------------------------------------------------------------------------------------

local function base_url(self)
    if self.config.base_url then return self.config.base_url end
    local host = self.config.host
    if host == "127.0.0.1" or host == "0.0.0.0" or host == "::1" or host == "::" then host = "localhost" end
    if host:find(":", 1, true) then host = "[" .. host .. "]" end
    return ("%s://%s:%d"):format(self.tls and "https" or "http", host, self.socket:port())
end

-- Without `sessions`, all of the user's.
local function drop_revoked(self, app_id, user_id, sessions)
    if sessions and not next(sessions) then return end
    for peer, app in pairs(self.peers) do
        if app == app_id and peer.user == user_id and (not sessions or sessions[peer.session_id or ""]) then
            peer:revoke("access revoked")
        end
    end
end

-- Timers live as long as somebody holds them.
local function later(self, seconds, action)
    local timer
    timer = self.loop:timer(seconds, function()
        self.pending[timer] = nil
        action()
    end)
    self.pending[timer] = true
end

local function open_services(self)
    local storage = self.config.storage
    local apps, message = stored_apps.merge(storage, self.config)
    if not apps then return nil, message end
    local threads = self.config.password_threads
    self.workers = auth.workers(self.loop, { threads = threads, queue = threads })
    self.hashing = passwords.on_threads(self.workers, threads)
    local opened
    opened, message = services.open({
        apps = apps, directory = storage .. "/users", keyring = self.keyring,
        base_url = self.config.base_url or "https://localhost", clock = os.time, log = self.log, mail = self.config.mail,
        fetch = function(options) return self.loop:request(options) end,
        on_revoke = function(app, user_id, sessions) drop_revoked(self, app.id, user_id, sessions) end,
        hashing = self.hashing,
        tick = function() return self.loop:now() end, limits = self.config.limits,
        later = function(seconds, action) later(self, seconds, action) end,
    })
    if not opened then return nil, message end
    return opened
end

-- Bytes in the path of a socket that every system takes.
local MAX_SOCKET = 100

-- ---- the operator -----------------------------------------------------------------------------------

-- A socket in the storage folder that only its owner can open; where its path is too long for one, a port.
local function listen_admin(self)
    local options = {
        socket = self.config.storage .. "/admin.sock", max_connections = 32,
        body_limit = function() return 256 * 1024 end,
        on_request = function(request)
            self.admin:handle(read_request(self, request), function(response) answer(self, request, response) end)
        end,
    }
    if #options.socket > MAX_SOCKET then
        options.socket, options.host, options.port = nil, "127.0.0.1", 0
    end
    local socket, message, code = self.loop:listen(options)
    if not socket then return nil, message, code end
    self.admin_path = options.socket
    return socket
end

-- Place and token of this run, for whoever may read the storage folder.
local function open_admin(self)
    local storage, token = self.config.storage, auth.hex(auth.random(32))
    self.admin = admin.new({
        operations = operations.on_storage(self.services, storage, self.config.apps, self.files), token = token,
        version = require("syncline")._VERSION,
        log = self.log,
    })
    local message, code
    self.admin_socket, message, code = listen_admin(self)
    if not self.admin_socket then return nil, message, code end
    local url = not self.admin_path and ("http://127.0.0.1:%d"):format(self.admin_socket:port()) or nil
    self.admin_file = storage .. "/admin.json"
    local ok
    ok, message = disk.write_private(self.admin_file, core.json.encode({ url = url, token = token }) .. "\n")
    if not ok then
        self.admin_file = nil
        return nil, message, "storage"
    end
    return true
end

local function close_admin(self)
    if self.admin_file then os.remove(self.admin_file) end
    if self.admin_socket then
        self.admin_socket:close()
        if self.admin_path then os.remove(self.admin_path) end
    end
    self.admin_file, self.admin_socket, self.admin_path = nil, nil, nil
end

-- What holds the loop for so many seconds is told to the operator: nobody is served meanwhile.
local HELD = 0.25

local function watch_loop(self)
    self.held = { longest = 0, count = 0 }
    self.loop:on_held(HELD, function(seconds)
        local piece = self.files:take_longest()
        local known = piece.seconds > seconds / 2
        self.held.longest, self.held.count = math.max(self.held.longest, seconds), self.held.count + 1
        self.log("warning", "everybody had to wait", { seconds = seconds, ["for"] = known and piece.what or "messages, requests or timers",
            file = known and piece.file or nil })
    end)
end

local function listen(self)
    return self.loop:listen({
        host = self.config.host, port = self.config.port,
        tls = self.tls and { cert = self.tls.cert, key = self.tls.key, min = self.tls.min } or nil,
        max_connections = self.config.max_connections, max_per_address = self.config.max_per_address,
        handshake_timeout = self.config.handshake_timeout, head_timeout = self.config.handshake_timeout,
        body_limit = body_limit,
        on_request = function(request) on_request(self, request) end,
        on_upgrade = function(request) on_upgrade(self, request) end,
    })
end

local function sweep(self)
    self.files:sweep(self.loop:now())
    self.keyring:prune(os.time())
    self.sweep_timer = self.loop:timer(15, function() sweep(self) end)
end

-- Everything that has to be there before the port is opened.
local function prepare(self)
    for _, folder in ipairs({ self.config.storage, self.config.storage .. "/users" }) do
        local ok, message = disk.make_folder(folder)
        if not ok then return nil, message end
    end
    local message
    self.keyring, message = config.keys(self.config, true)
    if not self.keyring then return nil, message end
    self.tls, message = config.tls(self.config)
    if self.tls == nil then return nil, message end
    self.services, message = open_services(self)
    if not self.services then return nil, message end
    self.files = files.new({
        directory = self.config.storage, loop = self.loop, log = self.log, keep_originals = self.config.keep_originals,
        max_backlog = self.config.max_backlog, max_merge_steps = self.config.max_merge_steps,
        max_classes = self.config.max_classes, max_properties = self.config.max_properties,
        max_key_bytes = self.config.max_key_bytes, max_nesting = self.config.max_nesting,
        max_object_bytes = self.config.max_object_bytes,
        state_transfer = self.config.state_transfer,
        state_min_bytes = self.config.state_min_bytes, state_age_bytes = self.config.state_age_bytes,
        client_ttl = self.config.client_ttl, compact_interval = self.config.compact_interval,
    })
    return true
end

---Starts a server on the shared loop; it works while `syncline.run()` or `server:run()` runs.
---
---Options (all may be left out): `host`, `port` (0: any free one), `storage` (folder), `tls`
---(`{cert=, key=, min="1.3"}`; without files a certificate for localhost is made; false: no TLS),
---`apps` (per app id: providers, permissions, functions), `keys` (`{alg=, kid=, secret=|pem=|pem_file=|jwk=}`,
---whose tokens are accepted besides our own), `log` (`{format=, level=, file=}`), `base_url`, `mail`, limits.
---@param options table|nil
---@return syncline.Server|nil server
---@return string|nil message
---@return string|number|nil code
function Server.start(options)
    local checked = config.check(options)
    local lines, message = log.new(checked.log)
    if not lines then return nil, message, "storage" end
    local self = setmetatable({ config = checked, loop = loops.get(), peers = {}, pending = {}, next_id = 0,
        lines = lines }, Server)
    self.log = function(level, text, facts) lines:write(level, text, facts) end
    local ok, reason, code = prepare(self)
    if not ok then
        self:close()
        return nil, reason, code
    end
    self.socket, reason, code = listen(self)
    if not self.socket then
        self:close()
        return nil, reason, code
    end
    self.services:set_base_url(base_url(self))
    ok, reason, code = open_admin(self)
    if not ok then
        self:close()
        return nil, reason, code
    end
    watch_loop(self)
    sweep(self)
    self.log("notice", "listening", { url = self:url(), storage = checked.storage })
    if self.tls and self.tls.created then
        self.log("notice", "made a certificate for localhost; clients have to trust it", { cert = self.tls.cert })
    end
    return self
end

---The URL that clients use, `https://...` (or `http://` without TLS).
---@return string
function Server:url()
    return self.services.base_url
end

---@return integer
function Server:port()
    return self.socket:port()
end

---The file with the certificate that clients have to trust, if it is our own.
---@return string|nil
function Server:ca_file()
    return self.tls and self.tls.cert or nil
end

---An access token for a user of an app, signed with the server's key.
---@param app_id string
---@param user_id string
---@param lifetime integer|nil seconds, default one hour
---@return string
function Server:token(app_id, user_id, lifetime)
    return Server.mint(self.keyring.signing, app_id, user_id, lifetime)
end

---As `server:token`, with a key.
---@param key userdata
---@param app_id string
---@param user_id string
---@param lifetime integer|nil
---@return string
function Server.mint(key, app_id, user_id, lifetime)
    local now = os.time()
    return assert(auth.sign({ typ = "access", sub = user_id, aud = app_id, iat = now, exp = now + (lifetime or 3600) }, key))
end

---Reads certificate and key again: new connections get the renewed ones, those that are here go on. If they are
---unusable, the old ones stay. SIGHUP does it, too, while `server:run()` runs.
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function Server:reload()
    if not self.tls then return true end
    local tls, ok, message, code
    tls, message = config.tls(self.config)
    if tls then ok, message, code = self.socket:set_tls({ cert = tls.cert, key = tls.key, min = tls.min }) end
    if not ok then
        self.log("error", "the certificate cannot be read again; the old one stays in use", { reason = message })
        return nil, message, code or "tls"
    end
    self.tls = tls
    self.log("notice", "read the certificate again", { cert = tls.cert })
    return true
end

---Runs until the process gets SIGTERM or SIGINT, or `server:stop()` is called. SIGHUP reads the certificate again.
function Server:run()
    self.loop:on_signal("hup", function() self:reload() end)
    for _, name in ipairs({ "term", "int" }) do
        self.loop:on_signal(name, function()
            self.log("notice", "stopping", { signal = name })
            self:stop()
        end)
    end
    while not self.stopped do self.loop:step() end
    self:close()
end

---Takes no more connections and says goodbye to those that are there; `run` returns when they have gone,
---after `stop_timeout` seconds at the latest.
function Server:stop()
    if self.stopping then return end
    self.stopping = true
    self.socket:stop()
    close_admin(self)
    for peer in pairs(self.peers) do peer:shutdown() end
    local deadline = self.loop:now() + self.config.stop_timeout
    local function look()
        if next(self.peers) == nil or self.loop:now() >= deadline then
            self.stopped = true
            self.loop:wake()
        else
            self.stop_timer = self.loop:timer(0.02, look)
        end
    end
    look()
end

---Ends everything at once. What was acknowledged is safe.
function Server:close()
    if self.closed then return end
    self.closed = true
    for _, timer in ipairs({ "sweep_timer", "stop_timer" }) do
        if self[timer] then self[timer]:stop() end
    end
    for timer in pairs(self.pending) do timer:stop() end
    for peer in pairs(self.peers) do
        if peer.socket then peer.socket:abort() end
        peer:finish(1006)
    end
    close_admin(self)
    if self.held then self.loop:on_held(0, nil) end
    if self.socket then self.socket:close() end
    if self.files then self.files:close() end
    if self.workers then self.workers:close() end
    if self.services then self.services:close() end
    if self.socket then self.log("notice", "stopped") end
    self.lines:close()
end

---Numbers for people who watch a server: `connections`, open `files`, `held` (how often something held the loop for 0.25 s
---or longer) and `longest_held` (seconds; 0 if never).
---@return table
function Server:stats()
    local connections = 0
    for _ in pairs(self.peers) do connections = connections + 1 end
    return { connections = connections, files = self.files:count(), held = self.held.count, longest_held = self.held.longest }
end

return Server
