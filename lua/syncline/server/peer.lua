-- One client connection of the server: joins a WebSocket to the core's connection, which moves the
-- messages itself.

local core = require("syncline.core")

local NEVER = 1e11 -- seconds

---@class syncline.server.Peer
local Peer = {}
Peer.__index = Peer

---@param options table log, and the options of core.server.connection
---@return syncline.server.Peer|nil
function Peer.new(options)
    local self = setmetatable({
        log = options.log, user = options.user, on_end = options.on_end, session_id = options.session_id,
        first_timeout = options.first_timeout, max_message = options.max_message,
        max_skipped = options.max_skipped,
    }, Peer)
    local message, code
    self.core, message, code = core.server.connection({
        version = options.version, flx = options.flx, mismatch = options.mismatch, authenticated = options.authenticated,
        users = true, user = options.user, co_id = options.co_id, open = options.open, token = options.token,
        max_sessions = options.max_sessions, max_partition = options.max_partition, max_download = options.max_download,
        max_message = options.max_message,
        idle = options.idle,
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
        first_timeout = self.first_timeout, limit = self.max_message, skip = self.max_skipped,
        on_close = function(_, code) self:finish(code) end,
    }
end

---@param socket userdata
function Peer:begin(socket)
    self.socket, self.address = socket, socket:peer()
    self.core:attach(socket)
end

---The token ends in so many seconds (nil: never).
---@param seconds number|nil
function Peer:expire_in(seconds)
    if not self.core then return end
    self.core:expire_in(math.max(0, seconds or NEVER))
    if self.socket then self.core:pump() end
end

function Peer:revoke(reason)
    if not self.core then return end
    self.core:revoke(reason)
    self.core:pump()
end

function Peer:shutdown()
    if not self.core then return end
    self.core:shutdown()
    self.core:pump()
end

function Peer:finish(code)
    if not self.core then return end
    self.log("info", "client gone", { client = self.address, user = self.user, code = code })
    local closing = self.core
    self.core, self.socket = nil, nil
    closing:close()
    self.on_end(self)
end

return Peer
