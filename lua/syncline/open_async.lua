-- Opening a realm whose content is still on the server: what is there now arrives as a whole where the
-- server can do that, and as history otherwise; then comes what changed meanwhile.

local check = require("syncline.check")
local loop = require("syncline.loop")
local observers = require("syncline.observers")

---@class syncline.OpenTask
local Task = {}
Task.__index = Task

local function finish(self, message, code)
    if self.state ~= "running" then return end
    self.state = message and "failed" or "done"
    if self.timer then self.timer:stop() end
    if self.stop_progress then self.stop_progress() end
    self.message, self.code = message, code
    local realm, session = self.realm, self.realm.session
    if session then session.opening = nil end
    if message then
        realm:close()
        self.realm = nil
    end
    if self.on_done then self.on_done(self.realm, message, code) end
end

-- Everything the server had is here: the program's own schema comes on top.
local function complete(self)
    if not self.schema then return finish(self) end
    local fine, ok, message, code = pcall(self.realm.update_schema, self.realm, self.schema, self.strict_ids)
    if not fine then
        self.raised = ok
        return finish(self, tostring(ok), "schema")
    end
    if not ok then return finish(self, message, code) end
    finish(self)
end

-- `state` and `history` are what has come and what is to come of either.
local function report(self)
    local done = self.state_done + self.history_done
    local total = self.state_total + math.max(self.history_total, self.history_done)
    if self.on_progress and (done ~= self.told_done or total ~= self.told_total) then
        self.told_done, self.told_total = done, total
        self.on_progress(done, total)
    end
end

-- Called by the session: a part of a state has come.
function Task:state_progress(done, total)
    self.state_done, self.state_total = done, total
    report(self)
end

-- Called by the session: nothing more will come by itself.
function Task:fail(message, code)
    finish(self, message, code)
end

---Gives up; what has come stays, and the next attempt goes on from there.
function Task:cancel()
    finish(self, "the opening was cancelled", "cancelled")
end

---True until the realm is open, or the task has failed or was cancelled.
---@return boolean
function Task:running()
    return self.state == "running"
end

---The realm when the task is done; nil, message, code when it failed.
---@return syncline.Realm|nil realm
---@return string|nil message
---@return string|number|nil code
function Task:result()
    if self.state == "running" then return nil, "the realm is still on its way", "running" end
    return self.realm, self.message, self.code
end

local function start(realm, options)
    local self = setmetatable({
        realm = realm, state = "running", schema = options.schema, strict_ids = options.strict_ids,
        on_progress = observers.hosted(options.dispatch, options.on_progress),
        on_done = observers.hosted(options.dispatch, options.on_done),
        state_done = 0, state_total = 0, history_done = 0, history_total = 0,
    }, Task)
    local session = realm.session
    session.opening = self
    self.stop_progress = session:observe_progress(function(progress)
        self.history_done, self.history_total = progress.downloaded_bytes, progress.downloadable_bytes
        report(self)
    end)
    if options.timeout then
        self.timer = loop.get():timer(options.timeout, function()
            local message, code = session:out_of_time("the time is up")
            finish(self, message, code or "timeout")
        end)
    end
    session:on_downloaded(function(ok)
        if ok then return complete(self) end
        finish(self, session:describe_end())
    end, options.keep_trying)
    return self
end

local function wait(self)
    loop.run(function() return self.state ~= "running" end)
    if self.state == "running" then self:cancel() end -- syncline.stop() was called
    if self.raised then error(self.raised, 0) end -- a mistake in the schema, as with syncline.open
    return self:result()
end

local open_async = {}

local OPTIONS = { path = "string", schema = "table", sync = "table", fast_commits = "boolean", strict_ids = "boolean",
    on_progress = "function", on_done = "function", timeout = "number", keep_trying = "boolean",
    dispatch = "function" }

---See `syncline.open_async`. `open` opens the realm with the options given to it.
---@param open fun(options: table): syncline.Realm|nil, string|nil, any
---@param options table
function open_async.run(open, options)
    check.options("syncline.open_async", options, OPTIONS)
    if not options.sync then
        check.fail("syncline.open_async: 'sync' is missing: it receives a realm from a server; syncline.open opens a file")
    end
    local sync = {}
    for name, value in pairs(options.sync) do sync[name] = value end
    sync.state_transfer = options.path ~= nil and options.path ~= ":memory:"
    local realm, message, code = open({ path = options.path, fast_commits = options.fast_commits, sync = sync,
        dispatch = options.dispatch })
    if not realm then return nil, message, code end
    local task = start(realm, options)
    if options.on_done then return task end
    return wait(task)
end

return open_async
