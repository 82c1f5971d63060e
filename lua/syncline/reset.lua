-- Client reset of a synchronised realm: what happens when the server no longer knows the file, or knows
-- another history (after a restored backup, say).

local check = require("syncline.check")
local core = require("syncline.core")
local disk = require("syncline.disk")

local reset = {}

local MODES = { manual = true, discard = true, recover = true, recover_or_discard = true }

---Checks the option `client_reset` of `sync`: a mode, or `{mode =, before =, after =}`; raises for anything
---else. Default mode: `"recover"`; with `can_discard` (somebody hears what is discarded) `"recover_or_discard"`.
---@param option string|table|nil
---@param can_discard boolean
---@param reseed boolean|nil what a server has lost is given back, which goes with modes that recover only
---@return table
function reset.options(option, can_discard, reseed)
    if type(option) == "string" or option == nil then option = { mode = option } end
    check.options("sync, client_reset", option, { mode = "string", before = "function", after = "function" })
    local mode = option.mode or (can_discard and "recover_or_discard" or "recover")
    check.one_of("sync, client_reset", mode, MODES)
    if reseed and (mode == "discard" or mode == "manual") then
        check.fail("sync: 'reseed' gives back what a server has lost; with client_reset = \"%s\" it cannot", mode)
    end
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

local function copy_problem(problem, changes)
    local copy = {}
    for name, value in pairs(problem) do copy[name] = value end
    for name, value in pairs(changes) do copy[name] = value end
    return copy
end

local function stop(self, problem)
    drop_copy(self)
    self.session:end_reset(problem)
end

-- It has to be done by hand: everything here stays as it is.
local function give_up(self, message, code)
    stop(self, copy_problem(self.problem, {
        message = ("the automatic client reset failed (%s); it was asked for because: %s"):format(message, self.problem.message),
        reset_code = code,
        advice = "nothing was changed here: save what was written and not uploaded (syncline export), delete the file, " ..
            "and open it again",
    }))
end

-- Errors that say that the server has another history, or none.
local ANOTHER_HISTORY = { [208] = true, [209] = true, [210] = true, [211] = true }

-- A backup that was put back still has most of what was here. A server that has not is another one.
local function is_lost(self, facts)
    return ANOTHER_HISTORY[self.problem.code] and facts.missing > facts.known - facts.missing
end

-- Whether the server has forgotten something that this file had from it. 210 and 211 say so; after 208 and 209 it may
-- only have given this file up, and what is missing was deleted by others.
local function has_forgotten(self, facts)
    local code = self.problem.code
    return ANOTHER_HISTORY[code] and (code >= 210 or facts.younger)
end

-- True if the program wants the file to become what the server has now. Otherwise the reset is over.
local function ask(self, facts)
    local problem = copy_problem(self.problem, {
        name = "server lost", server_lost = true, known = facts.known, missing = facts.missing,
        message = ("the server has lost its data: %d of the %d objects that it had are not there any more; nothing was " ..
            "changed here; it said: %s"):format(facts.missing, facts.known, self.problem.message),
        advice = "put a backup of the server back; or give it what is here with reseed = true (syncline client --reseed); or, if " ..
            "the realm was erased there on purpose, answer \"accept\" in on_server_lost: this file then becomes what the server " ..
            "has now, and a copy of it is kept",
    })
    local handler = self.session.on_server_lost
    if handler then
        local ok, answer = pcall(handler, problem, self.session)
        if not ok then problem.message = ("%s; on_server_lost raised: %s"):format(problem.message, tostring(answer)) end
        if ok and answer == "accept" then return true end
    end
    stop(self, problem)
    return false
end

-- A copy of the file as it is, beside it. True for a file in memory, which nothing can be kept of.
local function keep_copy(self)
    local path = self.realm.path
    if path == ":memory:" then return true end
    local name = ("%s.discarded-%s"):format(path, os.date("!%Y%m%dT%H%M%SZ"))
    local free, number = name, 1
    while disk.exists(free) do
        number = number + 1
        free = ("%s-%d"):format(name, number)
    end
    self.kept = free
    local ok, message, code = core.store.backup(path, free)
    if not ok then
        remove(free)
        give_up(self, ("no copy of what would be discarded could be made in '%s': %s"):format(free, message), code)
    end
    return ok
end

-- What is not in the file any more is in the copy, and the program hears of it.
local function tell(self, result)
    local taken = self.forgotten and result.taken or 0
    if taken == 0 and result.dropped == 0 then
        -- Another device that gives its content back in the same moment may still replace a collection which unsent
        -- changes went into, and nobody would notice: so what it looked like stays.
        if self.reseed and result.candidates > 0 then
            result.copy = self.kept
        elseif self.kept then
            remove(self.kept)
        end
        return
    end
    local what = {}
    if result.dropped > 0 then what[1] = ("%d changes that were not sent"):format(result.dropped) end
    if taken > 0 then what[#what + 1] = ("%d objects, as a whole or in part, as the server does not have them any more"):format(taken) end
    self.session:discarded(copy_problem(self.problem, {
        name = "changes discarded", client_reset = false, copy = self.kept, result = result,
        message = ("a client reset discarded %s; %s; it was asked for because: %s"):format(
            table.concat(what, ", and "),
            self.kept and ("a copy of the file from before is '%s'"):format(self.kept) or "there is no copy of a realm in memory",
            self.problem.message),
        advice = "read the copy with 'syncline export' or syncline.open, and write again what is missing",
    }))
end

local function prepare(self)
    local options = self.options
    if options.before then
        local ok, problem = pcall(options.before, self.session.realm)
        if not ok then return give_up(self, "'before' raised: " .. tostring(problem), "before") end
    end
    local facts, message, code = core.client.reset_compare(self.realm.handle, self.fresh_handle)
    if not facts then return give_up(self, message, code) end
    self.lost = is_lost(self, facts)
    self.forgotten = self.lost or has_forgotten(self, facts)
    self.reseed = self.forgotten and self.session.reseed
    if self.lost and not self.reseed and not ask(self, facts) then return end
    if (self.forgotten or facts.unsent > 0) and not keep_copy(self) then return end
    return true
end

local function finish(self)
    local session, options = self.session, self.options
    if not prepare(self) then return end
    local result, message, code = core.client.reset(session.realm.handle, self.fresh_handle, {
        mode = self.reseed and "recover" or options.mode, no_recovery = self.problem.no_recovery, code = self.problem.code,
        reseed = self.reseed, lost = self.lost,
    })
    if not result then
        if self.kept then remove(self.kept) end
        return give_up(self, message, code)
    end
    drop_copy(self)
    session.realm:touched()
    session:end_reset()
    tell(self, result)
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
