--- Merging: what two devices make of changes that they made at the same time.
---
--- A side is a list of changesets in the order in which they were made, each a table
--- `{ changeset = bytes, timestamp = milliseconds since 2015-01-01Z, file = client file ident }`.
--- Both sides start from the same state. The result may be applied after the other side.

local check = require("syncline.check")
local core = require("syncline.core").transform

local transform = {}

local OPTIONS = { set_erase = "string", index = "boolean" }

---@class syncline.transform.Changeset
---@field changeset string the bytes
---@field timestamp integer when the transaction was made: milliseconds since 2015-01-01Z
---@field file integer the client file ident of the device, from 1

---@class syncline.transform.Result
---@field left { changeset: string, modified: boolean }[] the left side, to be applied after the right one
---@field right { changeset: string, modified: boolean }[] the right side, to be applied after the left one
---@field events table[]|nil `explain` only: what happened to each instruction that was dropped or changed
---@field text string|nil `explain` only: the events as text

---Merges two sides.
---
---`options.set_erase` says which erasures from sets count as the same: `"both"` (default), `"content"` or
---`"literal"`; `options.index = false` visits every pair, with the same result.
---@param left syncline.transform.Changeset[] the local side of a device or server
---@param right syncline.transform.Changeset[] what it received
---@param options { set_erase: string|nil, index: boolean|nil }|nil
---@return syncline.transform.Result|nil result nil when the sides contradict each other
---@return string|nil message what contradicts what
---@return string|nil code short name of the failed check, such as `"S2"` or `"V1"`
function transform.merge(left, right, options)
    check.optional("transform.merge", options, OPTIONS)
    return core.merge(left, right, options)
end

---Merges two sides and says for every instruction that was dropped, changed or added which rule did it, what it
---met, who won and why.
---
---An event has the fields `rule`, `side` ("left" or "right"), `action` ("dropped", "changed", "added"), `changeset`
---and `against` (positions in the lists), `timestamp`, `file`, `other_timestamp`, `other_file`, `before`, `after`,
---`other` (instructions as text), `why` and `by_age` (true if the younger one won).
---@param left syncline.transform.Changeset[]
---@param right syncline.transform.Changeset[]
---@param options { set_erase: string|nil, index: boolean|nil }|nil as for `merge`
---@return syncline.transform.Result|nil result nil when the sides contradict each other
---@return string|nil message
---@return string|nil code
function transform.explain(left, right, options)
    check.optional("transform.explain", options, OPTIONS)
    return core.explain(left, right, options)
end

return transform
