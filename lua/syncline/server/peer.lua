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
    }, Peer)
    local message, code
    self.core, message, code = core.server.connection({
        version = options.version, flx = options.flx, mismatch = options.mismatch, authenticated = options.authenticated,
        users = true, user = options.user, co_id = options.co_id, open = options.open, token = options.token,
        max_sessions = options.max_sessions, idle = options.idle,
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

-- There is output or a wish; now is not the moment to call the core, which is just calling us.
function Peer:wake()
    if self.woken or not self.core then return end
    self.woken = self.loop:timer(0, function()
        self.woken = nil
        self:pump()
    end)
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

function Peer:pump()
    if not self.core or not self.socket then return end
    self.core:step()
    while not self.leaving and not self.socket:full() do
        local message = self.core:send()
        if not message then break end
        if not self.socket:send(message) then break end
    end
    obey(self)
    if self.timer then self.timer:stop() end
    local timeout = self.core:timeout()
    self.timer = timeout and self.loop:timer(math.min(timeout + 0.001, 86400), function() self:pump() end)
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
    if self.woken then self.woken:stop() end
    self.log("info", "client gone", { client = self.address, user = self.user, code = code })
    local closing = self.core
    self.core, self.socket = nil, nil
    closing:close()
    self.on_end(self)
end

return Peer
