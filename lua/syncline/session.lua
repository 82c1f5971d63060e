-- The session of a synchronised realm: what a program can ask of it and hear from it.

local check = require("syncline.check")
local core = require("syncline.core")
local loop = require("syncline.loop")
local observers = require("syncline.observers")
local reset = require("syncline.reset")
local transact = require("syncline.transact")

---@class syncline.Session
---@field realm syncline.Realm
---@field partition any
local Session = {}
Session.__index = Session

---Made by `syncline.client`.
---@param fields table
function Session._new(fields)
    for _, name in ipairs({ "on_error", "on_discard", "on_state", "on_connection_state", "on_log" }) do
        fields[name] = observers.hosted(fields.realm.dispatch, fields[name])
    end
    fields.progress_observers = {}
    fields.waits = {}
    fields.transacts = {}
    fields.allocations = {}
    return setmetatable(fields, Session)
end

-- States from which nothing moves without help.
local ENDED = { inactive = true, closed = true, failed = true }

local function describe(problem)
    if not problem then return "the session has ended", "session" end
    local message = problem.message
    if problem.advice and problem.advice ~= "" then message = message .. "; " .. problem.advice end
    return message, problem.code ~= 0 and problem.code or problem.class
end

-- Nothing will move until a person, or the program, does something about `problem`.
function Session:fail(problem)
    self.stuck = problem
    self:handle({ type = "error", error = problem })
    if self.opening then self.opening:fail(describe(problem)) end
    transact.give_up(self, describe(problem))
end

-- Why nothing more will come, as message and code.
function Session:describe_end()
    return describe(self.stuck or self.last_error)
end

-- Calls `fn(ok)` when everything that the server has now is here, or when that was given up.
function Session:on_downloaded(fn, keep_trying)
    local request = self.core:wait_download()
    if request then
        self.waits[request] = { state = "waiting", request_of = "wait_download", on_done = fn, on_end = fn,
            keep_trying = keep_trying }
    end
    self.connection:pump()
    self.connection:try_soon()
end

-- The server cannot be reached: `news` if for another reason than before, `never` if it never was.
function Session:unreached(problem, news, never)
    self.last_error = problem
    if news then
        if self.on_log then self.on_log("error", problem.message) end
        self:report(problem)
    end
    if not never then return end
    for request, this in pairs(self.waits) do
        -- Waits that are ours, after a reset say, go on.
        if not this.keep_trying and (this.on_end or not this.on_done) then
            this.state = "unreached"
            if this.on_end then
                self.waits[request] = nil
                this.on_end(false)
            end
        end
    end
    for request, this in pairs(self.allocations) do
        this.state = "unreached"
        self.allocations[request] = nil
    end
    transact.unreached(self, describe(problem))
end

-- What a wait that ran out of time says beside the time.
local function out_of_time(self, why)
    if self:connection_state() == "connected" then return why end
    local problem = self.last_error
    if not problem then return ("%s; %s does not answer"):format(why, self.connection.origin) end
    return ("%s; there is no connection: %s"):format(why, (describe(problem)))
end

function Session:out_of_time(why)
    return out_of_time(self, why), "timeout"
end

local WAIT_OPTIONS = { keep_trying = "boolean" }

local function wait(self, request_of, timeout, options)
    check.argument("waiting for the server, the timeout in seconds", timeout, "number|nil")
    check.optional("waiting for the server", options, WAIT_OPTIONS)
    if loop.get():stepping() then
        check.fail("nothing can be waited for inside a callback; session:observe_progress and realm:observe tell what comes")
    end
    if self.realm:is_writing() then check.fail("a write is open: wait for the server after realm:write") end
    if not self.core then return nil, describe(self.last_error) end
    local request, message, code = self.core[request_of](self.core)
    if not request then return nil, message, code end
    local this = { state = "waiting", request_of = request_of, keep_trying = options and options.keep_trying }
    self.waits[request] = this
    self.connection:pump()
    self.connection:try_soon()
    local ok, why, number = loop.run(function()
        return this.state ~= "waiting" or not self.core or self.stuck or ENDED[self:state()]
    end, timeout)
    for at, other in pairs(self.waits) do
        if other == this then self.waits[at] = nil end
    end
    if this.state == "done" then return true end
    if not ok then return nil, out_of_time(self, why), number end
    return nil, describe(self.stuck or self.last_error)
end

---Waits until the server has everything that was written here so far.
---
---A server that has not been reached since the program began ends the waiting as soon as an attempt has failed, with
---`"connect"`, `"resolve"` or `"tls"` as code; the session itself goes on trying. With `keep_trying = true` the wait goes on,
---too, as it does anyhow when a connection that was there breaks.
---@param timeout number|nil seconds
---@param options { keep_trying: boolean|nil }|nil
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code `"timeout"`, or why the session ended
function Session:wait_for_upload(timeout, options)
    return wait(self, "wait_upload", timeout, options)
end

---Waits until everything that the server has now is here.
---
---A server that was never reached ends it, see `wait_for_upload`.
---@param timeout number|nil seconds
---@param options { keep_trying: boolean|nil }|nil
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function Session:wait_for_download(timeout, options)
    return wait(self, "wait_download", timeout, options)
end

---For a program that is itself a server with clients of its own (option `subserver` of sync): a file ident for
---one of them. What that client writes is then written with `realm:write_as(ident, fn)` and comes back to
---nobody here. Idents are never given out twice; keep them.
---@param timeout number|nil seconds
---@return integer|nil ident
---@return string|nil message
---@return string|number|nil code
function Session:allocate(timeout)
    if self.realm:is_writing() then check.fail("a write is open: wait for the server after realm:write") end
    if not self.core then return nil, describe(self.last_error) end
    local request, message, code = self.core:allocate()
    if not request then return nil, message, code end
    local this = { state = "waiting" }
    self.allocations[request] = this
    self.connection:pump()
    self.connection:try_soon()
    local ok, why, number = loop.run(function() return this.state ~= "waiting" or not self.core or self.stuck end, timeout)
    if this.ident then return this.ident end
    if not ok then return nil, out_of_time(self, why), number end
    if self.core and self:state() == "active" then return nil, "the server allocates no idents", "unsupported" end
    return nil, describe(self.stuck or self.last_error)
end

---Stops synchronising; changes collect in the file until `resume`.
function Session:pause()
    if not self.core then return nil, describe(self.last_error) end
    local ok, message, code = self.core:pause()
    self.connection:pump()
    return ok, message, code
end

---Ends a pause.
function Session:resume()
    if not self.core then return nil, describe(self.last_error) end
    local ok, message, code = self.core:resume()
    self.connection:pump()
    return ok, message, code
end

---Tries again at once after an error that had stopped the session.
function Session:restart()
    if not self.core then return nil, describe(self.last_error) end
    local ok, message, code = self.core:restart()
    self.connection:pump()
    return ok, message, code
end

---`"unbound"`, `"binding"`, `"active"`, `"suspended"`, `"paused"`, `"inactive"`, `"failed"`, `"resetting"` (a
---client reset runs) or `"closed"`.
---@return string
function Session:state()
    if self.attempt and self.core then return "resetting" end
    return self.core and self.core:state() or "closed"
end

---`"disconnected"`, `"connecting"` or `"connected"`.
---@return string
function Session:connection_state()
    return self.connection and self.connection.core:state() or "disconnected"
end

---Bytes and changesets: `uploaded_bytes` of `uploadable_bytes`, `downloaded_bytes` of
---`downloadable_bytes`, and the same for changesets where they are known.
---@return table
function Session:progress()
    return self.realm:info()
end

---Bytes of messages over the connection of this session, which other realms of the user may share:
---`sent`, `received`, `uncompressed` (both, had nothing been compressed), and the number of `messages`.
---@return table
function Session:traffic()
    return self.connection.core:traffic()
end

---Calls `fn(progress)` whenever the progress changes; returns a function that ends it.
---@param fn fun(progress: table)
---@return fun()
function Session:observe_progress(fn)
    local all = self.progress_observers
    fn = observers.hosted(self.realm.dispatch, fn)
    all[fn] = true
    self:listen()
    return function()
        all[fn] = nil
        self:listen()
    end
end

-- Events that nobody hears of are not made.
function Session:listen()
    if self.core then self.core:mute(#self.realm.observers == 0, next(self.progress_observers) == nil) end
end

---Goes on with another access token.
---@param token string
function Session:set_token(token)
    if not self.connection then return nil, "the session has ended", "session" end
    for _, session in pairs(self.connection.sessions) do session.stuck = nil end
    local ok, message, code = self.connection.core:set_token(token)
    self.connection:pump()
    return ok, message, code
end

---Drops every delay and connects, or proves the connection, at once.
function Session:reconnect()
    if not self.connection then return nil, "the session has ended", "session" end
    local ok, message, code = self.connection.core:reconnect_now()
    self.connection:pump()
    return ok, message, code
end

---Ends the session; the realm stays open and can go on without sync.
function Session:close()
    if not self.core then return end
    if self.attempt then
        self.attempt:close()
        self.attempt = nil
    end
    transact.give_up(self, "the session was closed", "closed")
    self.core:close()
    self.connection:remove(self)
    self.core = nil
    if self.realm.session == self then self.realm.session = nil end
end

-- There is something new to upload.
function Session:nudge()
    if self.connection then self.connection:pump() end
end

-- ---- events -----------------------------------------------------------------------------------------

local function report(session, problem)
    session.last_error = problem
    local handler = session.on_error
    if handler then
        handler(problem, session)
    elseif problem.cause then
        io.stderr:write(("syncline: %s; trying again\n"):format((describe(problem))))
    elseif not problem.try_again then
        local message, code = describe(problem)
        io.stderr:write(("syncline: sync error %s: %s\n"):format(tostring(code), message))
    end
end

-- Unsent changes had to go: nobody may miss it.
function Session:discarded(problem)
    local handler = self.on_discard or self.on_error
    if handler then return handler(problem, self) end
    io.stderr:write(("syncline: %s\n"):format((describe(problem))))
end

Session.report = report

-- A client reset leaves a note in the file, which keeps it from being repeated for ever. It goes when
-- everything has gone both ways once.
function Session:watch_reset()
    if not core.client.reset_pending(self.realm.handle) then return end
    local open = 2
    local function on_done()
        open = open - 1
        if open == 0 and not self.realm:is_writing() then core.client.reset_finish(self.realm.handle) end
    end
    for _, name in ipairs({ "wait_upload", "wait_download" }) do
        local request = self.core[name](self.core)
        if request then self.waits[request] = { state = "waiting", request_of = name, on_done = on_done } end
    end
end

-- A client reset has come to its end: without `problem` the session goes on under its new ident, and so do
-- the waits that were on. Called by the reset.
function Session:end_reset(problem)
    self.attempt = nil
    if problem then
        self.last_error = problem
        for _, wait_of in pairs(self.waits) do wait_of.state = "given up" end
        transact.give_up(self, describe(problem))
        return report(self, problem)
    end
    self.core:restart()
    local waits = self.waits
    self.waits = {}
    for _, wait_of in pairs(waits) do
        local request = self.core[wait_of.request_of](self.core)
        if request then self.waits[request] = wait_of else wait_of.state = "given up" end
    end
    self:watch_reset()
    self.connection:pump()
end

local HANDLERS = {
    error = function(self, event)
        local problem = event.error
        if problem.client_reset and not self.attempt then
            self.last_error = problem
            if reset.start(self, problem, self.client_reset) then return end
        end
        report(self, problem)
    end,
    integrated = function(self) self.realm:touched() end,
    progress = function(self, event)
        for fn in pairs(self.progress_observers) do fn(event) end
    end,
    wait_done = function(self, event)
        local this = self.waits[event.request]
        -- During a reset the waits go on; they are asked anew at its end.
        if not this or (self.attempt and not event.ok) then return end
        this.state = event.ok and "done" or "given up"
        if this.on_done then
            self.waits[event.request] = nil
            if event.ok then this.on_done(true) elseif this.on_end then this.on_end(false) end
        end
    end,
    state_progress = function(self, event)
        if self.opening then self.opening:state_progress(event.done, event.total) end
    end,
    -- The content of the file has come as a whole: it takes the place of the empty file.
    state_ready = function(self)
        local realm = self.realm
        local ok, message, code = self.core:install_state(realm.path, realm.fast_commits)
        if ok then
            realm:replaced()
            return self.connection:pump() -- IDENT can go out
        end
        self:fail({ class = "storage", code = code, name = "local failure", message = message, try_again = false,
            advice = "check the disk (space, permissions), and open the realm again" })
    end,
    allocated = function(self, event)
        local this = self.allocations[event.request]
        self.allocations[event.request] = nil
        if this then this.state, this.ident = "done", event.ident end
    end,
    transacted = function(self, event) transact.finish(self, event) end,
    session_state = function(self, event)
        self.caught_up = self.caught_up and event.state == "active"
        if ENDED[event.state] and not self.attempt then transact.give_up(self, describe(self.last_error)) end
        if self.on_state then self.on_state(event.state, event.delay) end
    end,
    log = function(self, event)
        if self.on_log then self.on_log(event.level, event.text) end
    end,
}

-- One event of the core about this session.
function Session:handle(event)
    local handler = HANDLERS[event.type]
    if handler then handler(self, event) end
end

return Session
