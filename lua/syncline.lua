--- Syncline: an offline-first database that keeps itself in step with others through a server.
---
--- ```lua
--- local syncline = require("syncline")
--- local realm = syncline.open{ path = "people.realm.db", schema = {
---     { name = "Person", primary_key = "_id", properties = { _id = "objectid", name = "string", age = "int?" } },
--- } }
--- realm:write(function()
---     realm:create("Person", { _id = syncline.objectid(), name = "Ada", age = 36 })
--- end)
--- ```

local core = require("syncline.core")
local assign = require("syncline.assign")
local Realm = require("syncline.realm")

local syncline = {
    _VERSION = "0.1.0",
    _DESCRIPTION = "An open replacement for Atlas Device Sync: client, server and local database",
    _LICENSE = "Apache-2.0",
}

-- ---- values -----------------------------------------------------------------------------------------

---The null value: inside lists and dictionaries, and wherever nil cannot be stored.
syncline.null = core.null

---A 64-bit integer from a number or decimal digits: a plain number where Lua can hold it.
syncline.int64 = core.int64
---A 32-bit float, a double; only needed where the schema leaves the type open.
syncline.float, syncline.double = core.float, core.double
---Bytes that are no text.
syncline.binary = core.binary
---A point in time: seconds since 1970 and nanoseconds, or ISO 8601 text; now without arguments.
syncline.timestamp = core.timestamp
---A decimal128 from text or an integer.
syncline.decimal = core.decimal
---An ObjectId, a UUID: from text, or a new one without argument.
syncline.objectid, syncline.uuid = core.objectid, core.uuid
---A link to an object: `syncline.link("Person", key)`. It may stand for one that does not exist, but can
---only be stored when it does.
syncline.link = core.link
---The name of a value's type, or nil: `syncline.typeof(1) == "int"`.
syncline.typeof = core.typeof

---Marks a table as a list, or dictionary, for a mixed property (needed when it is empty).
---@param values table
---@return table
function syncline.list(values)
    return setmetatable(values or {}, assign.LIST)
end

---@param values table
---@return table
function syncline.dictionary(values)
    return setmetatable(values or {}, assign.DICTIONARY)
end

---The methods of objects as functions, for classes that have a property of the same name:
---`syncline.object.key(book)`, `syncline.object.observe(book, fn)`.
syncline.object = core.realm.object

---A plain Lua copy of an object, collection or value.
syncline.to_table = assign.to_table

-- ---- parts ------------------------------------------------------------------------------------------

syncline.open = Realm.open
syncline.open_async = Realm.open_async
syncline.changeset = require("syncline.changeset")
syncline.protocol = core.protocol
syncline.transform = require("syncline.transform")
syncline.json = core.json

local function loop()
    return require("syncline.loop")
end

---Waits up to `timeout` seconds (nil: as long as it takes) for network events and deals with them; see
---`syncline.run` for programs without a loop of their own. A game calls `syncline.step(0, 0.004)` once per frame.
---
---`budget` bounds what one call does: seconds after which no more changesets of others are integrated and no more of one's
---own are sent, or `{steps = n}`, counted: instructions applied, objects saved, and one for 16 bytes sent. The rest has its
---turn in the next call. One changeset is never divided. Default: `{steps = 5000}`.
---@param timeout number|nil seconds
---@param budget number|{steps: integer}|nil seconds above 0, or 1 to 2147483647 steps
---@return boolean|nil ok
---@return string|nil message
---@return string|nil code
function syncline.step(timeout, budget)
    return loop().step(timeout, budget)
end

---Keeps everything going until `syncline.stop()` is called, `condition()` is true, or `timeout` seconds
---have passed (then: nil, message, `"timeout"`).
---@param condition nil|fun(): boolean
---@param timeout number|nil
---@return boolean|nil ok
---@return string|nil message
---@return string|nil code
function syncline.run(condition, timeout)
    return loop().run(condition, timeout)
end

---Ends the innermost `syncline.run`.
function syncline.stop()
    loop().stop()
end

---An app on a server, to log in to: see `app`.
---@param options table
---@return syncline.App|nil app
---@return string|nil message
function syncline.app(options)
    return require("syncline.app").new(options)
end

local lazy = { client = true, server = true, schema = true, exchange = true, loop = true, auth = true, admin = true }

return setmetatable(syncline, {
    __index = function(_, name)
        if lazy[name] then
            local module = require("syncline." .. name)
            rawset(syncline, name, module)
            return module
        end
        return nil
    end,
})
