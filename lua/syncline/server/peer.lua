-- One client connection of the server: moves messages between a WebSocket and the core's connection.

local core = require("syncline.core")

---@class syncline.server.Peer
local Peer = {}
Peer.__index = Peer

---@param options table loop, log, and the options of core.server.connection
---@return syncline.server.Peer|nil
function Peer.new(options)
    local self = setmetatable({
        loop = options.loop, log = options.log, user = options.user, on_end = options.on_end, session_id = options.session_id,
        first_timeout = options.first_timeout,
    }, Peer)
    local message, code
    self.core, message, code = core.server.connection({
        version = options.version, flx = options.flx, mismatch = options.mismatch, authenticated = options.authenticated,
        users = true, user = options.user, co_id = options.co_id, open = options.open, token = options.token,
        max_sessions = options.max_sessions, max_download = options.max_download, idle = options.idle,
        wake = function() self:wake() end,
        trouble = function(text, number, class)
            self.log(class == "storage" and "error" or "notice", "trouble with a client", { reason = text, code = number,
                client = self.address, user = self.user })
        end,
    })
    if not self.core then return nil, message, code end
    return self
end

---The callbacks that the WebSocket is to be made with.
function Peer:callbacks()
    return {
        -- A socket on which nobody ever says a word is not kept (protocol/5-app-services-http.md, 18, row 14).
        first_timeout = self.first_timeout,
        on_message = function(_, data)
            if not self.core then return end
            self.core:receive(data)
            self:pump()
        end,
        on_ping = function(_, data)
            if self.core then self.core:receive_ping(data) end
        end,
        on_writable = function() self:pump() end,
        on_close = function(_, code) self:finish(code) end,
    }
end

---@param socket userdata
function Peer:begin(socket)
    self.socket, self.address = socket, socket:peer()
    self:pump()
end

-- Peers with output or a wish, by loop: a commit wakes all sessions of a file at once, and one timer
-- serves them all. Now is not the moment to call the core, which is just calling us.
local woken_by_loop = setmetatable({}, { __mode = "k" })

local function pump_woken(loop)
    local peers = woken_by_loop[loop]
    woken_by_loop[loop] = nil
    local failure
    for _, peer in ipairs(peers) do
        peer.woken = nil
        local ok, message = pcall(peer.pump, peer)
        if not ok then failure = failure or message end
    end
    if failure then error(failure, 0) end
end

function Peer:wake()
    if self.woken or not self.core then return end
    self.woken = true
    local loop, peers = self.loop, woken_by_loop[self.loop]
    if peers then
        peers[#peers + 1] = self
    else
        woken_by_loop[loop] = { self }
        loop:timer(0, function() pump_woken(loop) end)
    end
end

local function obey(self)
    local wish, code, reason = self.core:wish()
    if not wish or self.leaving then return end
    self.leaving = true
    if wish == "close" then
        self.socket:close(code, reason)
    else
        self.socket:abort()
    end
end

-- Deadlines mostly move away with every message, so the timer is left alone until it fires, unless it
-- would fire much too late.
local SLACK = 60

local function arm(self)
    local timeout = self.core:timeout()
    if not timeout or (self.timer and timeout > self.armed - SLACK) then return end
    if self.timer then self.timer:stop() end
    self.armed = math.min(timeout + 0.001, 86400)
    self.timer = self.loop:timer(self.armed, function()
        self.timer = nil
        self:pump()
    end)
end

function Peer:pump()
    local connection, socket = self.core, self.socket
    if not connection or not socket then return end
    connection:step()
    while not self.leaving and not socket:full() do
        local message = connection:send()
        if not message or not socket:send(message) then break end
    end
    obey(self)
    if self.core then arm(self) end
end

---The token ends in so many seconds.
function Peer:expire_in(seconds)
    self.core:expire_in(math.max(0, seconds))
end

function Peer:revoke(reason)
    if not self.core then return end
    self.core:revoke(reason)
    self:pump()
end

function Peer:shutdown()
    if not self.core then return end
    self.core:shutdown()
    self:pump()
end

function Peer:finish(code)
    if not self.core then return end
    if self.timer then self.timer:stop() end
    self.log("info", "client gone", { client = self.address, user = self.user, code = code })
    local closing = self.core
    self.core, self.socket = nil, nil
    closing:close()
    self.on_end(self)
end

return Peer
