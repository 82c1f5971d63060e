-- Client reset of a synchronised realm: what happens when the server no longer knows the file, or knows
-- another history (after a restored backup, say).

local check = require("syncline.check")
local core = require("syncline.core")

local reset = {}

local MODES = { manual = true, discard = true, recover = true, recover_or_discard = true }

---Checks the option `client_reset` of `sync`: a mode, or `{mode =, before =, after =}`; raises for anything
---else. Default mode: `"recover_or_discard"`.
---@param option string|table|nil
---@return table
function reset.options(option)
    if type(option) == "string" or option == nil then option = { mode = option } end
    check.options("sync, client_reset", option, { mode = "string", before = "function", after = "function" })
    local mode = option.mode or "recover_or_discard"
    check.one_of("sync, client_reset", mode, MODES)
    return { mode = mode, before = option.before, after = option.after }
end

local function remove(path)
    if path == ":memory:" then return end
    for _, suffix in ipairs({ "", "-wal", "-shm" }) do os.remove(path .. suffix) end
end

-- The attempt of one session; stands among the sessions of its connection while the copy is downloaded.
local Attempt = {}
Attempt.__index = Attempt

local function drop_copy(self)
    if self.core then
        self.connection.sessions[self.number] = nil
        self.core:close()
        self.core = nil
    end
    if self.fresh then
        self.fresh:close()
        self.fresh = nil
    end
    remove(self.path)
end

-- It has to be done by hand: everything here stays as it is.
local function give_up(self, message, code)
    drop_copy(self)
    local problem = {}
    for name, value in pairs(self.problem) do problem[name] = value end
    problem.message = ("the automatic client reset failed (%s); it was asked for because: %s"):format(message, problem.message)
    problem.reset_code = code
    problem.advice = "save what was written here and not uploaded, delete the file, and open it again"
    self.session:end_reset(problem)
end

local function finish(self)
    local session, options = self.session, self.options
    if options.before then
        local ok, problem = pcall(options.before, session.realm)
        if not ok then return give_up(self, "'before' raised: " .. tostring(problem), "before") end
    end
    local result, message, code = core.client.reset(session.realm.handle, self.fresh_handle, {
        mode = options.mode, no_recovery = self.problem.no_recovery, code = self.problem.code,
    })
    if not result then return give_up(self, message, code) end
    drop_copy(self)
    session.realm:touched()
    session:end_reset()
    if options.after then options.after(session.realm, result) end
end

-- One event about the session of the copy.
function Attempt:handle(event)
    if not self.core then return end
    if event.type == "wait_done" then
        if not event.ok then return give_up(self, "the fresh copy could not be downloaded") end
        self.core:close()
        self.connection.sessions[self.number] = nil
        self.core = nil
        finish(self)
    elseif event.type == "error" and not event.error.try_again then
        give_up(self, event.error.message, event.error.code)
    end
end

-- What a session has that a connection asks for.
Attempt.fail = function(self, problem) give_up(self, problem.message, problem.code) end

function Attempt:close()
    drop_copy(self)
end

---Starts the reset of `session` after the error `problem`; true if it was started. Called by the session.
---@param session syncline.Session
---@param problem table
---@param options table
---@return boolean started
function reset.start(session, problem, options)
    if options.mode == "manual" then return false end
    local realm, connection = session.realm, session.connection
    local path = realm.path == ":memory:" and ":memory:" or realm.path .. ".fresh"
    remove(path)
    local self = setmetatable({
        session = session, realm = realm, connection = connection, options = options, problem = problem, path = path,
    }, Attempt)
    local message, code
    self.fresh_handle, message, code = core.realm.open({ path = path, fast_commits = true })
    if not self.fresh_handle then
        give_up(self, message, code)
        return true
    end
    self.fresh = self.fresh_handle
    self.core, message, code = connection.core:session(self.fresh_handle, {
        path = core.ejson.encode(session.partition, "relaxed"), upload = false,
    })
    if not self.core then
        give_up(self, message, code)
        return true
    end
    self.number = self.core:number()
    connection.sessions[self.number] = self
    session.attempt = self
    self.core:wait_download()
    connection:pump()
    return true
end

return reset
