--- Handlers that have to wait for something, as if they were written for one request at a time: each runs in a
--- coroutine. What waits must not be called through pcall, over which Lua 5.1 cannot wait.
local task = {}

local unpack = table.unpack or unpack -- luacheck: globals unpack

---Waits for something inside a handler. `start` is called with a function that takes the results, now or
---later; returns the results.
---@param start fun(resume: fun(...))
---@return any ...
function task.wait(start)
    local results, waiting
    start(function(...)
        if waiting then
            waiting(...)
        else
            results = { n = select("#", ...), ... }
        end
    end)
    if results then
        return unpack(results, 1, results.n)
    end
    return coroutine.yield(function(resume)
        waiting = resume
    end)
end

---Calls a function, which may wait, and tells when it has ended.
---@param done fun(ok: boolean, result: any) with the function's result, or with what it raised; a text has a traceback
---@param fn fun(...): any
---@param ... any
function task.run(done, fn, ...)
    local thread = coroutine.create(fn)
    local function go(...)
        local ok, result = coroutine.resume(thread, ...)
        if not ok then
            return done(false, type(result) == "string" and debug.traceback(thread, result) or result)
        end
        if coroutine.status(thread) == "dead" then
            return done(true, result)
        end
        return result(go)
    end
    go(...)
end

return task
