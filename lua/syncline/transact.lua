-- Serialized transactions: writes on which the server decides. One at a time per session, in the order in
-- which they were asked for.

local check = require("syncline.check")
local loop = require("syncline.loop")
local observers = require("syncline.observers")

local transact = {}

-- The code beside what a function has raised; no error object has it.
transact.RAISED = setmetatable({}, { __tostring = function() return "error" end })

local CONFLICT = "the server has changes that were not here when the transaction ran; they are now: try again"
local UNSUPPORTED = "the server does not do serialized transactions"
local UNKNOWN = "%s after the server was asked: the transaction may have been done, or not"

-- ---- the end of one ---------------------------------------------------------------------------------

local function report(session, job, ...)
    if job.over then return end
    job.over = true
    if job.timer then job.timer:stop() end
    for i, other in ipairs(session.transacts) do
        if other == job then
            table.remove(session.transacts, i)
            break
        end
    end
    job.on_done(...)
end

-- Nobody waits any longer.
local function abandon(session, job, message, code)
    local certain = not job.request or session.core:forget_transact(job.request)
    if certain then return report(session, job, nil, message, code) end
    report(session, job, nil, UNKNOWN:format(message), "unknown")
end

---All that are waiting have no outcome to wait for.
---@param session syncline.Session
---@param message string
---@param code string|number|nil
function transact.give_up(session, message, code)
    local jobs = session.transacts
    for i = #jobs, 1, -1 do
        if jobs[i] then abandon(session, jobs[i], message, code) end
    end
end

-- The server was never reached: whoever waits for the outcome hears why. Nothing was asked.
function transact.unreached(session, message, code)
    local jobs = session.transacts
    for i = #jobs, 1, -1 do
        if jobs[i] and not jobs[i].keep_trying then abandon(session, jobs[i], message, code) end
    end
end

---An event of the core.
---@param session syncline.Session
---@param event table
function transact.finish(session, event)
    local job, outcome = session.transacts[1], event.outcome
    if not job or job.request ~= event.request then return end
    job.request = nil
    if outcome == "accepted" then return report(session, job, true) end
    if outcome == "conflict" then return report(session, job, nil, CONFLICT, outcome) end
    if outcome == "unsupported" then return report(session, job, nil, UNSUPPORTED, outcome) end
    local why = session.last_error and session.last_error.message or "the session has ended"
    if outcome == "unknown" then return report(session, job, nil, UNKNOWN:format(why), outcome) end
    -- Not sent. After a client reset it is begun anew.
    if not session.attempt then
        report(session, job, nil, why, session.last_error and session.last_error.code or "session")
    end
end

-- ---- on its way -------------------------------------------------------------------------------------

-- The first one after a connection was made runs when everything that had happened meanwhile is here.
local function caught_up(session)
    if session.caught_up then return true end
    if session.catching and session.waits[session.catching] then return false end
    local request = session.core:wait_download()
    session.catching = request
    if not request then return false end
    session.waits[request] = { state = "waiting", request_of = "wait_download", on_done = function()
        session.caught_up = true
    end }
    return false
end

local function ask(session, job)
    local realm = session.realm
    local began, message, code = realm.handle:begin()
    if not began then return report(session, job, nil, message, code) end
    local ok, out, problem = realm:_attempt(job.fn)
    if not ok then return report(session, job, nil, out, problem) end
    local fine, request, why, number = pcall(session.core.transact, session.core)
    if not fine then return report(session, job, nil, tostring(request), "usage") end
    if not request then return report(session, job, nil, why, number) end
    if request == 0 then return report(session, job, true) end
    job.request = request
end

---Goes on with the oldest one, if now is the time.
---@param session syncline.Session
function transact.advance(session)
    while true do
        local job, core = session.transacts[1], session.core
        if not job or job.request or job.running or not core or core:state() ~= "active" or session.realm:is_writing() then
            return
        end
        if not session.connection.core:features().transact then
            report(session, job, nil, UNSUPPORTED, "unsupported")
        elseif not core:may_transact() or not caught_up(session) then
            return
        else
            job.running = true
            ask(session, job)
            job.running = nil
        end
    end
end

-- ---- beginning one ----------------------------------------------------------------------------------

local function run_plainly(realm, fn, on_done)
    local began, ok, message, code = pcall(realm.write, realm, fn)
    if not began then return on_done(nil, ok, transact.RAISED) end
    if ok then return on_done(true) end
    on_done(nil, message, code)
end

local function start(realm, fn, on_done, options)
    local session = realm.session
    check.argument("realm:transact", fn, "function")
    check.optional("realm:transact", options, { timeout = "number", keep_trying = "boolean" })
    if not session then return run_plainly(realm, fn, on_done) end
    if not session.transacts then check.fail("realm:transact: in a simulation it is a method of the client: sim:client(n):transact(fn)") end
    local job = { fn = fn, on_done = on_done, keep_trying = options and options.keep_trying }
    session.transacts[#session.transacts + 1] = job
    local timeout = options and options.timeout
    if timeout then
        job.timer = loop.get():timer(timeout, function()
            abandon(session, job, "the time is up", "timeout")
        end)
    end
    session.connection:pump()
    session.connection:try_soon()
    return job, session
end

---See `realm:transact_async`.
---@param realm syncline.Realm
---@param fn fun(realm: syncline.Realm)
---@param on_done fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@param options table|nil
function transact.start(realm, fn, on_done, options)
    check.argument("realm:transact_async, the function that hears of the outcome", on_done, "function")
    on_done = observers.hosted(realm.dispatch, on_done)
    start(realm, fn, function(ok, message, code)
        if code ~= transact.RAISED then return on_done(ok, message, code) end
        on_done(nil, tostring(message), "error")
    end, options)
end

---See `realm:transact`.
---@param realm syncline.Realm
---@param fn fun(realm: syncline.Realm)
---@param options table|nil
---@return boolean|nil ok
---@return any message
---@return any code
function transact.run(realm, fn, options)
    if realm:is_writing() then check.fail("realm:transact: a write is open already; writes do not nest") end
    local result
    local job, session = start(realm, fn, function(...) result = { ... } end, options)
    if not result then
        if session.stuck or not session.core then
            transact.give_up(session, "the session cannot go on", "session")
        else
            loop.run(function() return result ~= nil end)
        end
        if not result then abandon(session, job, "the loop was stopped", "stopped") end
    end
    if result[3] == transact.RAISED then error(result[2], 0) end
    return result[1], result[2], result[3]
end

return transact
