--- How often what may be tried: the limits of a server, and the buckets that count.
local addresses = require("syncline.services.addresses")
local check = require("syncline.check")
local duration = require("syncline.duration")
local limiter = require("syncline.services.limiter")

local limits = {}
limits.__index = limits

---So many at once, then one more every so many seconds. The figures are in doc/serve.md.
limits.DEFAULTS = {
    log_in = { burst = 200, every = 0.5 }, -- per address: log-ins, registrations, mails
    wrong = { burst = 10, every = 30 }, -- per address and account: wrong passwords
    wrong_address = { burst = 50, every = 10 }, -- per address: wrong passwords of all accounts
    wrong_account = { burst = 20, every = 60 }, -- per account: wrong passwords of all addresses; delays only
    mail = { burst = 3, every = 600 }, -- per recipient
    refresh = { burst = 50, every = 2 }, -- per user: new access tokens
}

---Seconds that a log-in of a stranger waits while others guess at the account.
limits.DELAY = 5

-- Log-ins of one address that may wait at once for one account.
local MAX_WAITING = 4

local function check_one(name, given)
    if not limits.DEFAULTS[name] then
        check.fail("limits: there is no '%s'%s", tostring(name), check.hint(name, limits.DEFAULTS))
    end
    if given == false then
        return false
    end
    local every = type(given) == "table" and given.every
    if type(every) == "string" then
        every = duration.seconds(every)
    end
    if type(every) ~= "number" or every <= 0 or type(given.burst) ~= "number" or given.burst < 1 then
        check.fail("limits: '%s': { burst = 1 or more, every = seconds or a time like \"10m\" } or false expected", name)
    end
    return { burst = given.burst, every = every }
end

---Checks the limits of a configuration and fills in the defaults. Raises what is wrong with them.
---@param given table?
---@return table
function limits.check(given)
    local out = {}
    for name, setting in pairs(limits.DEFAULTS) do
        out[name] = setting
    end
    for name, setting in pairs(given or {}) do
        out[name] = check_one(name, setting)
    end
    return out
end

---@class syncline.services.Limits
---@field buckets table<string, syncline.services.Limiter>
---@field tick fun(): number seconds of a clock that never jumps

---@param checked table what limits.check returned
---@param tick fun(): number
---@return syncline.services.Limits
function limits.new(checked, tick)
    local buckets = {}
    for name, setting in pairs(checked) do
        buckets[name] = setting and limiter.new(setting.burst, 1 / setting.every) or nil
    end
    return setmetatable({ buckets = buckets, tick = tick, waiting = {}, warned = limiter.new(1, 1 / 3600) }, limits)
end

---Takes one from a bucket: nil if that is allowed, else the seconds until it will be.
---@param name string
---@param key string
---@return number? wait
function limits:take(name, key)
    local bucket = self.buckets[name]
    if not bucket then
        return nil
    end
    local allowed, wait = bucket:take(key, self.tick())
    return not allowed and wait or nil
end

-- Seconds until a bucket has one again; nil if it has.
local function wait_of(self, name, key)
    local bucket = self.buckets[name]
    return bucket and bucket:wait(key, self.tick())
end

---Takes one try at the password of an account: nil if it may be made, else the seconds until it may. Tries
---are counted before the password is looked at, or many could be made at once; `right` and `undo` give
---them back. Nobody's tries but those of the same address can shut it out.
---@param address string
---@param account string
---@param known boolean the account has logged in from there before
---@return number? wait
function limits:guess(address, account, known)
    local place = addresses.place(address)
    local pair = place .. "\0" .. account
    local wait = wait_of(self, "wrong", pair) or not known and wait_of(self, "wrong_address", place)
    if wait then
        return wait
    end
    self:take("wrong", pair)
    self:take("wrong_address", place)
    self:take("wrong_account", account)
    return nil
end

---Gives a try back that was not made after all.
---@param address string
---@param account string
function limits:undo(address, account)
    local place = addresses.place(address)
    for name, key in pairs({ wrong = place .. "\0" .. account, wrong_address = place, wrong_account = account }) do
        if self.buckets[name] then
            self.buckets[name]:give(key)
        end
    end
end

---A right password: the address has not been guessing.
---@param address string
---@param account string
function limits:right(address, account)
    self:undo(address, account)
    if self.buckets.wrong then
        self.buckets.wrong:forgive(addresses.place(address) .. "\0" .. account)
    end
end

---Whether so many wrong passwords came for an account, from anywhere, that strangers have to wait.
---@param account string
---@return boolean
function limits:attacked(account)
    return wait_of(self, "wrong_account", account) ~= nil
end

---Whether it is time to tell that an account is attacked: once an hour.
---@param account string
---@return boolean
function limits:must_warn(account)
    return self:attacked(account) and (self.warned:take(account, self.tick()))
end

---Begins to wait for an account; false if the address has too many that wait already.
---@param address string
---@param account string
---@return boolean
function limits:begin_wait(address, account)
    local key = addresses.place(address) .. "\0" .. account
    local count = self.waiting[key] or 0
    if count >= MAX_WAITING then
        return false
    end
    self.waiting[key] = count + 1
    return true
end

---@param address string
---@param account string
function limits:end_wait(address, account)
    local key = addresses.place(address) .. "\0" .. account
    local count = self.waiting[key] - 1
    self.waiting[key] = count > 0 and count or nil
end

return limits
