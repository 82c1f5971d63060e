--- Token buckets per key, with a bounded number of keys. Time enters as an argument.
local limiter = {}
limiter.__index = limiter

---@class syncline.services.Limiter
---@field burst number calls that may come at once
---@field rate number calls per second afterwards
---@field max integer keys remembered; the oldest half goes when there are more

---@param burst number
---@param rate number
---@param max integer?
---@return syncline.services.Limiter
function limiter.new(burst, rate, max)
    return setmetatable({ burst = burst, rate = rate, max = max or 20000, count = 0, buckets = {} }, limiter)
end

local function level(self, bucket, now)
    return math.min(self.burst, bucket.level + (now - bucket.at) * self.rate)
end

-- Forgets full buckets; if all are in use, forgets everything that has been idle longest.
local function shrink(self, now)
    local oldest = {}
    for key, bucket in pairs(self.buckets) do
        if level(self, bucket, now) >= self.burst then
            self.buckets[key] = nil
            self.count = self.count - 1
        else
            oldest[#oldest + 1] = key
        end
    end
    if self.count < self.max then
        return
    end
    table.sort(oldest, function(a, b)
        return self.buckets[a].at < self.buckets[b].at
    end)
    for i = 1, math.floor(#oldest / 2) do
        self.buckets[oldest[i]] = nil
        self.count = self.count - 1
    end
end

---Takes one call from the bucket of `key`.
---@param key string
---@param now number seconds of any clock that does not run backwards
---@return boolean allowed
---@return number? wait seconds until the next call is allowed, if not allowed
function limiter:take(key, now)
    local bucket = self.buckets[key]
    if not bucket then
        if self.count >= self.max then
            shrink(self, now)
        end
        bucket = { level = self.burst, at = now }
        self.buckets[key] = bucket
        self.count = self.count + 1
    end
    bucket.level, bucket.at = level(self, bucket, now), now
    if bucket.level < 1 then
        return false, (1 - bucket.level) / self.rate
    end
    bucket.level = bucket.level - 1
    return true
end

---Seconds until the next call is allowed; nil if it is now. Takes nothing.
---@param key string
---@param now number
---@return number?
function limiter:wait(key, now)
    local bucket = self.buckets[key]
    local there = bucket and level(self, bucket, now)
    return there and there < 1 and (1 - there) / self.rate or nil
end

---Gives one call back.
---@param key string
function limiter:give(key)
    local bucket = self.buckets[key]
    if bucket then
        bucket.level = math.min(self.burst, bucket.level + 1)
    end
end

---Forgets a key: after a successful login, say.
---@param key string
function limiter:forgive(key)
    if self.buckets[key] then
        self.buckets[key] = nil
        self.count = self.count - 1
    end
end

return limiter
