--- Simulations: a server and its clients in one process, in virtual time.
---
--- Programs that synchronise are hard to test: what matters happens when links break and machines crash.
--- A simulation does that on purpose and repeats it exactly. The realms are real ones, and so are
--- sessions and merges; only time, network and disks are made up.
---
--- ```lua
--- local sim = require("syncline.sim").new{ seed = 1, clients = 2, schema = {
---     { name = "Note", primary_key = "_id", properties = { _id = "int", text = "string" } },
--- } }
--- sim:disconnect(2)
--- sim:client(1):write(function(realm) realm:create("Note", { _id = 1, text = "from one" }) end)
--- sim:client(2):write(function(realm) realm:create("Note", { _id = 2, text = "from two" }) end)
--- assert(sim:settle())
--- assert(sim:states_equal())
--- ```

local check = require("syncline.check")
local core = require("syncline.core")
local Realm = require("syncline.realm")
local transact = require("syncline.transact")

local sim = {}

---@class syncline.Simulation
---@field errors table[] what clients were told: `{ client=, message=, code=, class=, client_reset= }`
local Simulation = {}
Simulation.__index = Simulation

---@class syncline.SimulatedClient
---@field number integer
local Client = {}
Client.__index = Client

local OPTIONS = { seed = "number", clients = "number", schema = "table", fast_commits = "boolean", reset = "string",
    log = "function", state_transfer = "boolean" }

---Starts a server and clients, which begin to connect.
---
---Options: `seed` (an integer; the same seed and the same calls give the same run), `clients` (1 to 64,
---default 2), `schema` (as for `syncline.open`; every client declares it), `reset` (what clients do when
---the server asks for a client reset: `"recover"`, `"discard"` or `"manual"`), `fast_commits`,
---`state_transfer` (clients that have nothing yet receive the server's present content, see
---`syncline.open_async`; a client has something as soon as its realm was used), `log`
---(`fn(seconds, line)` hears of every message and every fault).
---@param options table|nil
---@return syncline.Simulation|nil simulation
---@return string|nil message
---@return string|number|nil code
function sim.new(options)
    options = options or {}
    check.options("sim.new", options, OPTIONS)
    local self = setmetatable({ errors = {}, realms = {}, schema = options.schema, clients = {}, asked = {} }, Simulation)
    local events = {
        log = function(_, seconds, line) options.log(seconds, line) end,
        error = function(number, message, code, class, client_reset)
            self.errors[#self.errors + 1] = { client = number, message = message, code = code, class = class,
                client_reset = client_reset }
        end,
        transacted = function(number, request, outcome)
            local on_done = self.asked[number] and self.asked[number][request]
            if not on_done then return end
            self.asked[number][request] = nil
            on_done(outcome)
        end,
        changed = function(number)
            local realm = self.realms[number]
            if realm then realm:touched() end
        end,
    }
    local handle, message, code = core.sim.new({
        seed = options.seed, clients = options.clients, fast_commits = options.fast_commits,
        reset = options.reset, log = options.log ~= nil, state_transfer = options.state_transfer,
    }, function(kind, ...) events[kind](...) end)
    if not handle then return nil, message, code end
    self.handle = handle
    for number = 1, options.clients or 2 do
        self.clients[number] = setmetatable({ simulation = self, number = number }, Client)
    end
    return self
end

---Ends the simulation and closes all its realms.
function Simulation:close()
    self.handle:close()
end

-- ---- time -------------------------------------------------------------------------------------------

---Lets virtual time pass.
---@param seconds number
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function Simulation:advance(seconds)
    return self.handle:advance(seconds)
end

---Ends all faults, connects everybody and lets time pass until nothing is on its way any more. False if
---that is not reached within `limit` seconds (default 3,600) of virtual time.
---@param limit number|nil
---@return boolean|nil quiet
---@return string|nil message
---@return string|number|nil code
function Simulation:settle(limit)
    return self.handle:settle(limit or 3600)
end

---Seconds since the beginning.
---@return number
function Simulation:now()
    return self.handle:now()
end

-- ---- realms -----------------------------------------------------------------------------------------

---A client by number, from 1.
---@param number integer
---@return syncline.SimulatedClient
function Simulation:client(number)
    return self.clients[number] or check.fail("sim:client: there is no client %s (there are 1 to %d)", tostring(number), #self.clients)
end

---The client's realm, as `syncline.open` gives it; nil while its machine is down. A crash closes it:
---ask again afterwards.
---@return syncline.Realm|nil
function Client:realm()
    local simulation, number = self.simulation, self.number
    local realm = simulation.realms[number]
    if realm and not realm:is_closed() then return realm end
    local handle = simulation.handle:realm(number)
    if not handle then return nil end
    realm = Realm.adopt(handle, (":client %d:"):format(number))
    realm.session = {
        nudge = function() simulation.handle:wrote(number) end,
        close = function() end,
        listen = function() end,
    }
    simulation.realms[number] = realm
    if simulation.schema then
        local ok, message = realm:update_schema(simulation.schema)
        if not ok then error(message, 0) end
    end
    return realm
end

---Runs `fn(realm, ...)` as one transaction on the client's realm; results as of `realm:write`. Nil while
---the machine is down.
---@param fn function
---@return boolean|nil ok
---@return any ... results of `fn`, or message and code
function Client:write(fn, ...)
    local realm = self:realm()
    if not realm then return nil, "the machine is down", "down" end
    return realm:write(fn, ...)
end

---Runs `fn(realm)` as one serialized transaction (see `realm:transact`) and returns at once. `on_done(outcome)`
---hears `"accepted"`, `"conflict"`, `"unsupported"`, `"given_up"` (nothing was done) or `"unknown"` (the
---machine has crashed meanwhile). One at a time; nil while one is on its way or the machine is down.
---@param fn fun(realm: syncline.Realm)
---@param on_done nil|fun(outcome: string)
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function Client:transact(fn, on_done)
    local realm, simulation, number = self:realm(), self.simulation, self.number
    if not realm then return nil, "the machine is down", "down" end
    local began, message, code = realm.handle:begin()
    if not began then return nil, message, code end
    local ok, out, problem = realm:_attempt(fn)
    if not ok and problem == transact.RAISED then error(out, 0) end
    if not ok then return nil, out, problem end
    local request, why, what = simulation.handle:transact(number)
    if not request then return nil, why, what end
    if request == 0 then
        if on_done then on_done("accepted") end
        return true
    end
    simulation.asked[number] = { [request] = on_done or function() end }
    return true
end

---Numbers about the client: `state` of its session, `resets` so far, and `states` that it received in place
---of a history.
---@return table
function Client:info()
    local state, resets, states = self.simulation.handle:info(self.number)
    return { state = state, resets = resets, states = states }
end

---Whether the realms of all clients and the server's are equal. Nil while a machine is down.
---@return boolean|nil equal
---@return string|nil message
---@return string|number|nil code
function Simulation:states_equal()
    return self.handle:states_equal()
end

---The content of a realm as canonical text: of a client, or of the server with 0.
---@param who integer
---@return string|nil text
---@return string|nil message
---@return string|number|nil code
function Simulation:state(who)
    return self.handle:state(who)
end

-- ---- network ----------------------------------------------------------------------------------------

---No network for a client until `connect`.
---@param client integer
function Simulation:disconnect(client)
    return self.handle:disconnect(client)
end

---Gives a client its network back; it connects at once.
---@param client integer
function Simulation:connect(client)
    return self.handle:connect(client)
end

---Breaks a client's link; the client will connect again. `noticed_by`: `"both"` (default), `"client"`
---or `"server"`; the other end hangs on for `linger` seconds (default 10). What was sent last is lost.
---@param client integer
---@param noticed_by string|nil
---@param linger number|nil
function Simulation:cut(client, noticed_by, linger)
    return self.handle:cut(client, noticed_by, linger)
end

---What a client's link is like from now on: `latency`, `spread` (up to so much more by chance), `batch`
---(messages arrive together every so often) in seconds, `rate` in bytes per second (0 = no limit).
---@param client integer
---@param options table
function Simulation:set_link(client, options)
    check.options("sim:set_link", options, { latency = "number", spread = "number", batch = "number", rate = "number" })
    return self.handle:set_link(client, options)
end

---The newest protocol version, 2 to 14, that a client, or the server (0), knows from its next connection
---on; nil: all. Both ends agree on the older one's.
---@param who integer
---@param version integer|nil
function Simulation:set_version(who, version)
    return self.handle:set_version(who, version)
end

---Pauses the session of a client, or goes on.
---@param client integer
---@param paused boolean
function Simulation:pause(client, paused)
    return self.handle:pause(client, paused)
end

-- ---- machines ---------------------------------------------------------------------------------------

---Ends a client, or the server (0), which starts again after `down` seconds (default 0). `kind`:
---`"power"` (default; of what was not flushed all is lost, or what came last) or `"process"`.
---@param who integer
---@param kind string|nil
---@param down number|nil
function Simulation:crash(who, kind, down)
    return self.handle:crash(who, kind, down)
end

---Ends a client's process and throws its file away with everything that was not uploaded; after `down`
---seconds (default 0) it starts with a new one, as an app that is installed anew.
---@param client integer
---@param down number|nil
function Simulation:renew(client, down)
    return self.handle:renew(client, down)
end

---Sets the wall clock of a client, or the server (0), wrong by so many seconds.
---@param who integer
---@param seconds number
function Simulation:set_clock(who, seconds)
    return self.handle:set_clock(who, seconds)
end

---Leaves so many bytes of room on a disk; nil: as much as wanted.
---@param who integer
---@param bytes integer|nil
function Simulation:limit_disk(who, bytes)
    return self.handle:limit_disk(who, bytes)
end

---The server begins to compact its history, a step at a time.
---@param client_ttl integer|nil seconds after which clients that stayed away expire; nil: never
function Simulation:compact(client_ttl)
    return self.handle:compact(client_ttl)
end

---Takes a backup of the server's file.
function Simulation:backup()
    return self.handle:backup()
end

---Puts the server back to the last backup. Clients that are ahead of it go through a client reset.
function Simulation:restore()
    return self.handle:restore()
end

return sim
