--- Hashing of passwords: costly on purpose, so it is done on threads, which hold nobody up, and those who ask
--- take turns.
local auth = require("syncline.auth")
local fair_queue = require("syncline.services.fair_queue")
local http = require("syncline.services.http")
local task = require("syncline.services.task")

local passwords = {}
passwords.__index = passwords

---Seconds after which whoever was turned away may come back.
passwords.RETRY = 5

---@class syncline.services.Hashing threads and the queue in front of them, for all apps of a server
---@field workers syncline.auth.Workers
---@field queue syncline.services.FairQueue

---@param workers syncline.auth.Workers
---@param threads integer
---@return syncline.services.Hashing
function passwords.on_threads(workers, threads)
    return { workers = workers, queue = fair_queue.new({ slots = threads }) }
end

---@class syncline.services.Passwords
---@field cost table? of scrypt

---@param options { cost: table?, hashing: syncline.services.Hashing? } without `hashing` it is done at once, and holds
---everybody up
---@return syncline.services.Passwords
function passwords.new(options)
    return setmetatable({ cost = options.cost, hashing = options.hashing }, passwords)
end

-- Has a thread do something when it is the place's turn, and waits for it: the result, or nil and why.
local function on_thread(self, place, method, ...)
    local workers, given, count = self.hashing.workers, { ... }, select("#", ...)
    local unpack = table.unpack or unpack -- luacheck: globals unpack
    return task.wait(function(resume)
        self.hashing.queue:add(place, function(done)
            given[count + 1] = function(result, message)
                done()
                resume(result, message)
            end
            local ok, message, code = workers[method](workers, unpack(given, 1, count + 1))
            if not ok then
                done()
                resume(nil, message, code)
            end
        end, function()
            resume(nil, "too many wait", "busy")
        end)
    end)
end

---Hashes a password. May wait.
---@param password string
---@param place string who asks for it
---@return string? hash nil if too many wait
function passwords:try_hash(password, place)
    if not self.hashing then
        return auth.hash_password(password, self.cost)
    end
    local hash, message, code = on_thread(self, place, "hash_password", password, self.cost)
    if not hash and code ~= "busy" then
        error(message, 0)
    end
    return hash
end

---Hashes a password, or refuses with 429 when too many wait.
---@param password string
---@param place string
---@return string hash
function passwords:hash(password, place)
    return self:try_hash(password, place) or http.too_many(passwords.RETRY)
end

-- For each cost, a hash that no password opens.
local nobody = {}

-- An account that is unknown, or has no password, costs the same: the password is compared with the hash of
-- nobody.
local function record(self, hash, place)
    if hash and hash ~= "" then
        return hash
    end
    local cost = self.cost or {}
    local name = ("%s %s %s"):format(tostring(cost.log_n), tostring(cost.r), tostring(cost.p))
    nobody[name] = nobody[name] or self:try_hash(auth.random(16), place)
    return nobody[name]
end

---Makes ready, so that the first unknown account does not take longer than others.
function passwords:prepare()
    task.run(function() end, record, self, nil, "")
end

---Whether a password is right; the time does not tell whether there was a hash. May wait.
---@param password string
---@param hash string?
---@param place string who asks for it
---@return boolean? good nil if too many wait
function passwords:check(password, hash, place)
    local stored = record(self, hash, place)
    if not stored then
        return nil
    end
    if not self.hashing then
        return auth.check_password(password, stored) and stored == hash
    end
    local good, message, code = on_thread(self, place, "check_password", password, stored)
    if good == nil and code ~= "busy" then
        error(message, 0)
    end
    return good and stored == hash -- nil stays nil
end

---@param hash string
---@return boolean
function passwords:is_old(hash)
    return auth.password_needs_rehash(hash, self.cost)
end

return passwords
