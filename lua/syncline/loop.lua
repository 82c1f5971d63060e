-- The event loop that synchronisation runs on: one per Lua state, made when first needed.

local core = require("syncline.core")

local loop = {}

local shared

---The shared loop, a `syncline.loop` object.
---@return userdata
function loop.get()
    if not shared then shared = assert(core.net.loop({})) end
    return shared
end

---Waits up to `timeout` seconds (nil: as long as it takes) for something to happen and deals with it:
---messages, timers, observers. Call it regularly from a program with a loop of its own, or when the
---descriptor of `loop.get():pollfd()` becomes readable.
---@param timeout number|nil
function loop.step(timeout)
    return loop.get():step(timeout)
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
        present:step(wait)
    end
    return true
end

---Ends the innermost `run`.
function loop.stop()
    loop.stopped = true
    loop.get():wake()
end

return loop
