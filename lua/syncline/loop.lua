-- The event loop that synchronisation runs on: one per Lua state, made when first needed.

local core = require("syncline.core")
local check = require("syncline.check")

local loop = {}

local shared

-- A program that does nothing but run waits for no frame: fewer commits, a few ms more each.
local RUN_BUDGET = { steps = 20000 }

---The shared loop, a `syncline.loop` object.
---@return userdata
function loop.get()
    if not shared then shared = assert(core.net.loop({})) end
    return shared
end

---Waits up to `timeout` seconds (nil: as long as it takes) for something to happen and deals with it:
---messages, timers, observers. Call it regularly from a program with a loop of its own, or when the
---descriptor of `loop.get():pollfd()` becomes readable.
---
---`budget` bounds what is done of that in one call: seconds after which no more changesets of others are integrated and
---no more of one's own are sent, or `{steps = n}`, counted: instructions applied, objects saved, and one for 16 bytes
---sent. The rest has its turn in the next call. One changeset is never divided. Default: `{steps = 5000}`.
---@param timeout number|nil seconds
---@param budget number|{steps: integer}|nil seconds above 0, or 1 to 2147483647 steps
---@return boolean|nil ok
---@return string|nil message
---@return string|nil code
function loop.step(timeout, budget)
    check.argument("syncline.step, the timeout in seconds", timeout, "number|nil")
    return loop.get():step(timeout, budget)
end

---Runs until `stop()` is called, or until `condition()` is true.
---@param condition nil|fun(): boolean
---@param timeout number|nil seconds after which it gives up
---@return boolean|nil ok
---@return string|nil message
---@return string|nil code
function loop.run(condition, timeout)
    local present = loop.get()
    local deadline = timeout and present:now() + timeout
    loop.stopped = false
    while not loop.stopped do
        if condition and condition() then return true end
        local left = deadline and deadline - present:now()
        if left and left <= 0 then return nil, "the time is up", "timeout" end
        -- A condition may depend on what no event announces, so it is looked at now and then.
        local wait = condition and 1 or nil
        if left and (not wait or left < wait) then wait = left end
        present:step(wait, RUN_BUDGET)
    end
    return true
end

---Ends the innermost `run`.
function loop.stop()
    loop.stopped = true
    loop.get():wake()
end

return loop
