--- Messages of the Device Sync protocol as tables, and its error numbers.
---
--- A message is a table with `type` (the word on the wire), `session` and the fields of that message:
--- `{ type = "mark", session = 1, request = 4 }`. Uploads and downloads carry an array `entries` of
--- tables with `changeset` (bytes, see `syncline.changeset`), `client_version`, `server_version`,
--- `origin_timestamp` (milliseconds since 2015) and `origin_file`. Fields that are absent count as 0,
--- false or "".

local core = require("syncline.core").protocol

local protocol = {}

---@class syncline.protocol_options
---@field from string|nil who sent it: `"client"` (default) or `"server"`
---@field version integer|nil negotiated protocol version, 14 by default
---@field flx boolean|nil query-based sync

---@class syncline.protocol_error
---@field code integer
---@field name string
---@field level string `"connection"` or `"session"`
---@field try_again boolean whether the client comes back by itself
---@field action string what the client does
---@field advice string what it means and what to do

---Reads one message, the payload of one WebSocket message.
---@param message string
---@param options syncline.protocol_options|nil
---@return table|nil message nil when it is malformed
---@return string|nil text what is wrong, and at which byte
---@return integer|nil code error number of the protocol, such as 103
function protocol.parse(message, options)
    return core.parse(message, options)
end

---Writes one message. Bodies above 1024 bytes are compressed if that makes them smaller. Raises for what
---is no message.
---@param message table
---@param options syncline.protocol_options|nil
---@return string message
function protocol.encode(message, options)
    return core.encode(message, options)
end

---Explains an error number.
---@param code integer
---@return syncline.protocol_error|nil error nil for an unknown number
function protocol.error(code)
    return core.error(code)
end

---All error numbers, ascending.
---@return syncline.protocol_error[]
function protocol.errors()
    return core.errors()
end

return protocol
