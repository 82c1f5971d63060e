--- Changesets: what one write transaction did, as bytes, tables and text.
---
--- An instruction is a table in the shape of the JSON text form:
--- `{ op = "Update", table = "Member", object = { string = "k01" }, field = "age", path = {},
--- value = { int = 42 }, default = false }`.
--- Integers are Lua integers, decimal text is taken too; null is `syncline.null`.

local check = require("syncline.check")
local core = require("syncline.core").changeset

local changeset = {}

---Reads the bytes of a changeset.
---@param bytes string
---@param options { raw: boolean|nil }|nil `raw`: show interned strings as pseudo-instructions at their places
---@return table[]|nil instructions nil when the bytes are malformed
---@return string|nil message what is wrong and at which byte
---@return string|nil code short name of the failed check, such as `"P-EOF"`
function changeset.parse(bytes, options)
    check.optional("changeset.parse", options, { raw = "boolean" })
    return core.parse(bytes, options)
end

---Writes instructions as bytes. Raises for what is no changeset.
---@param instructions table[]
---@param options { upfront: boolean|nil }|nil `upfront`: all strings first, as a server writes them
---@return string bytes
function changeset.encode(instructions, options)
    check.optional("changeset.encode", options, { upfront = "boolean" })
    return core.encode(instructions, options)
end

---Reads the JSON text form and writes the bytes of a changeset.
---@param text string
---@param options { upfront: boolean|nil }|nil `upfront`: all strings first, as a server writes them
---@return string|nil bytes nil when the text is malformed
---@return string|nil message
---@return string|nil code
function changeset.from_json(text, options)
    check.optional("changeset.from_json", options, { upfront = "boolean" })
    return core.from_json(text, options)
end

---Shows a changeset, one instruction per line.
---@param bytes string
---@param options { format: string|nil, raw: boolean|nil }|nil `format`: `"json"` (default) or `"text"`; `raw`: strings too
---@return string|nil text nil when the bytes are malformed
---@return string|nil message
---@return string|nil code
function changeset.print(bytes, options)
    check.optional("changeset.print", options, { format = "string", raw = "boolean" })
    return core.print(bytes, options)
end

return changeset
