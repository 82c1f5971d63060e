--- A bounded queue for costly work, fair between those who ask for it: places take turns, so that what one of
--- them piles up waits for itself and not in front of the others.
local fair_queue = {}
fair_queue.__index = fair_queue

---@class syncline.services.FairQueue
---@field slots integer pieces of work that are under way at once
---@field max integer pieces that wait
---@field max_per_place integer pieces of one place that wait

---@param options { slots: integer, max: integer?, max_per_place: integer? }
---@return syncline.services.FairQueue
function fair_queue.new(options)
    return setmetatable({
        slots = options.slots,
        max = options.max or 256,
        max_per_place = options.max_per_place or 4,
        running = 0,
        waiting = 0,
        lines = {}, -- by place: what waits, the oldest first
        turns = {}, -- places with lines, in the order of their turns, from `first` to `last`
        first = 1,
        last = 0,
    }, fair_queue)
end

local function take_turn(self, place)
    self.last = self.last + 1
    self.turns[self.last] = place
end

local function next_job(self)
    local place = self.turns[self.first]
    self.turns[self.first] = nil
    self.first = self.first + 1
    local line = self.lines[place]
    local job = table.remove(line, 1)
    if line[1] then
        take_turn(self, place)
    else
        self.lines[place] = nil
    end
    self.waiting = self.waiting - 1
    return job
end

local function go_on(self)
    while self.running < self.slots and self.waiting > 0 do
        local job = next_job(self)
        self.running = self.running + 1
        job.start(function()
            self.running = self.running - 1
            go_on(self)
        end)
    end
end

-- Makes room for a place that has nothing waiting: the longest line gives up its newest piece.
local function displace(self)
    local longest
    for _, line in pairs(self.lines) do
        if not longest or #line > #longest then
            longest = line
        end
    end
    if not longest or #longest < 2 then
        return false
    end
    local job = table.remove(longest)
    self.waiting = self.waiting - 1
    job.refuse()
    return true
end

---Puts a piece of work into the line of a place. Either `start` is called, with a function to be called when the work is
---done, or `refuse`, once; perhaps before this returns.
---@param place string
---@param start fun(done: fun())
---@param refuse fun()
function fair_queue:add(place, start, refuse)
    local line = self.lines[place]
    if line and #line >= self.max_per_place then
        return refuse()
    end
    if self.waiting >= self.max and (line or not displace(self)) then
        return refuse()
    end
    if line then
        line[#line + 1] = { start = start, refuse = refuse }
    else
        self.lines[place] = { { start = start, refuse = refuse } }
        take_turn(self, place)
    end
    self.waiting = self.waiting + 1
    go_on(self)
end

return fair_queue
