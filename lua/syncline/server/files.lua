-- The realm files of a server: partition to file, opened when first bound, closed when nobody has used
-- them for a while. Work that sessions queue is done once per turn of the loop, for all files; the
-- sessions then wake their connections.

local core = require("syncline.core")
local disk = require("syncline.disk")
local realms = require("syncline.server.realms")
local task = require("syncline.services.task")

local files = {}
files.__index = files

-- Seconds that a file stays open without sessions, for which one turn of the loop makes states, and
-- between two steps of care.
local LINGER, SLICE, CARE_PAUSE = 60, 0.005, 0.003

---@param options { directory: string, loop: userdata, log: function, keep_originals: boolean|nil,
---max_backlog: integer|nil, max_merge_steps: integer|nil, max_classes: integer|nil,
---max_properties: integer|nil, max_key_bytes: integer|nil, max_nesting: integer|nil, max_object_bytes: integer|nil,
---state_transfer: boolean|nil,
---state_min_bytes: integer|nil, state_age_bytes: integer|nil,
---client_ttl: integer|false|nil, compact_interval: integer|false|nil }
function files.new(options)
    return setmetatable({
        directory = options.directory, loop = options.loop, log = options.log, keep_originals = options.keep_originals,
        max_backlog = options.max_backlog, max_merge_steps = options.max_merge_steps,
        max_classes = options.max_classes, max_properties = options.max_properties,
        max_key_bytes = options.max_key_bytes, max_nesting = options.max_nesting,
        max_object_bytes = options.max_object_bytes,
        open_files = {}, waiting = {}, making = {}, caring = {}, gaps = {},
        longest = { seconds = 0 },
        client_ttl = options.client_ttl or nil,
        compact_interval = options.compact_interval == false and -1 or options.compact_interval,
        state_transfer = options.state_transfer, state_min_bytes = options.state_min_bytes,
        state_age_bytes = options.state_age_bytes,
    }, files)
end

-- Seconds after a commit that failed until it is tried again.
local RETRY = 1

local work

-- The clock counts milliseconds; seconds are not exact.
local EXACT = 0.0002

-- One timer serves all files; it fires when the first of them is due.
local function arm(self, due)
    if self.work_timer and self.work_due <= due then return end
    if self.work_timer then self.work_timer:stop() end
    self.work_due = due
    self.work_timer = self.loop:timer(math.max(0, due - self.loop:now() - EXACT), function() work(self) end)
end

-- Closes a file while it is in use: its clients are told to bind again, and send again what was not confirmed.
local function drop(self, entry)
    self.open_files[entry.key] = nil
    self.waiting[entry], self.making[entry], self.caring[entry] = nil, nil, nil
    entry.file:close()
end

-- After a flush that failed nobody knows what is on the disk, and the store refuses to go on. Nothing that was not
-- flushed has been told to anybody, so the file is closed and opened anew when the first of its clients comes.
local function give_up(self, entry, message)
    self.log("error", "a file could not be flushed; it is closed and will be opened again", { file = entry.path, reason = message })
    drop(self, entry)
end

-- Does a piece of work of a file, and remembers the longest since `take_longest`.
local function timed(self, what, entry, method)
    local began = self.loop:now()
    local ok, message, code = entry.file[method](entry.file)
    local took = self.loop:now() - began
    if took > self.longest.seconds then self.longest = { seconds = took, what = what, file = entry.path } end
    return ok, message, code
end

local function do_work(self, entry)
    self.waiting[entry] = nil
    local ok, message, code = timed(self, "uploads", entry, "work")
    if ok then
        -- A unit takes no more than a bite; others are served before the next one.
        if entry.file:waiting() then self.waiting[entry] = self.loop:now() end
        return
    end
    if code == "SYNC" then return give_up(self, entry, message) end
    self.log("error", "a commit failed; trying again", { file = entry.path, reason = message, code = code })
    self.waiting[entry] = self.loop:now() + RETRY
end

function work(self)
    self.work_timer = nil
    local now, due, first = self.loop:now(), {}, nil
    for entry, at in pairs(self.waiting) do
        if at <= now + EXACT then due[#due + 1] = entry end
    end
    for _, entry in ipairs(due) do do_work(self, entry) end
    for _, at in pairs(self.waiting) do
        if not first or at < first then first = at end
    end
    if first then arm(self, first) end
end

-- Called by the file, which can be asked but not be told to work now.
local function on_work(self, entry)
    local at = self.loop:now() + (entry.file:rest() or 0)
    self.waiting[entry] = at
    arm(self, at)
end

-- A state for new clients is made between everything else, a little in each turn of the loop.
local function make_state(self, entry, till)
    repeat
        local more, message, code = timed(self, "a state", entry, "make_state")
        if more == nil then
            self.log("error", "a state for new clients could not be made", { file = entry.path, reason = message, code = code })
        end
        if not more then
            self.making[entry] = nil
            return
        end
    until self.loop:now() >= till
end

local function make_states(self)
    self.state_timer = nil
    for entry in pairs(self.making) do make_state(self, entry, self.loop:now() + SLICE) end
    if next(self.making) then
        self.state_timer = self.loop:timer(0, function() make_states(self) end)
    end
end

local function on_state(self, entry)
    self.making[entry] = true
    if not self.state_timer then
        self.state_timer = self.loop:timer(0, function() make_states(self) end)
    end
end

-- ---- care of the history ----------------------------------------------------------------------------

-- One step; whether there is another one.
local function take_care(self, entry)
    local more, message, code = timed(self, "compaction", entry, "care")
    if more then return true end
    if code == "SYNC" then
        give_up(self, entry, message)
    elseif more == nil then
        self.log("error", "a history could not be compacted", { file = entry.path, reason = message, code = code })
    elseif self.caring[entry] then
        local report = entry.file:care_report()
        self.log("info", "history compacted", { file = entry.path, entries = report.entries, emptied = report.emptied,
            bytes_before = report.bytes_before, bytes_after = report.bytes_after, limit = report.limit,
            held_by = report.holder, expired = report.expired })
    end
    return false
end

-- Files take turns as a whole: what a run remembers is worth memory only once.
local function care_step(self)
    self.care_timer = nil
    local entry = next(self.caring)
    if entry and not take_care(self, entry) then self.caring[entry] = nil end
    if next(self.caring) then
        self.care_timer = self.loop:timer(CARE_PAUSE, function() care_step(self) end)
    end
end

local function begin_care(self, entry)
    self.caring[entry] = true
    if not self.care_timer then
        self.care_timer = self.loop:timer(CARE_PAUSE, function() care_step(self) end)
    end
end

---Has a file compacted, soon. Clients that stayed away for `ttl` seconds expire.
---@param app_id string
---@param partition string
---@param ttl integer|nil
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function files:compact(app_id, partition, ttl)
    local file, message, code = self:open(app_id, partition)
    if not file then return nil, message, code end
    file:compact(ttl)
    begin_care(self, self.open_files[app_id .. "\0" .. partition])
    return true
end

---The longest piece of work since the last call.
---@return { seconds: number, what: string|nil, file: string|nil }
function files:take_longest()
    local longest = self.longest
    self.longest = { seconds = 0 }
    return longest
end

---The report of a file's last run, or nil if it is not open.
---@param app_id string
---@param partition string
---@return table|nil report `running` and what core.server.file:care_report() says
function files:compaction(app_id, partition)
    local entry = self.open_files[app_id .. "\0" .. partition]
    if not entry then return nil end
    local report = entry.file:care_report()
    report.running = entry.file:caring() or self.caring[entry] == true
    return report
end

-- ---- opening and closing ----------------------------------------------------------------------------

---The open file of a partition.
---@param app_id string
---@param partition string canonical form
---@return userdata|nil file
---@return string|nil message
---@return string|number|nil code
function files:open(app_id, partition)
    local key = app_id .. "\0" .. partition
    local entry = self.open_files[key]
    if entry then
        entry.idle_since = nil
        return entry.file
    end
    local folder = realms.folder(self.directory, app_id)
    local ok, reason = disk.make_folder(folder)
    if not ok then return nil, reason, "storage" end
    local path = realms.path(folder, partition)
    local is_new = not disk.exists(path)
    entry = { path = path, key = key }
    local file, message, code = core.server.file({
        path = path, keep_originals = self.keep_originals,
        max_backlog = self.max_backlog, max_merge_steps = self.max_merge_steps,
        max_classes = self.max_classes, max_properties = self.max_properties,
        max_key_bytes = self.max_key_bytes, max_nesting = self.max_nesting,
        max_object_bytes = self.max_object_bytes,
        min_state = self.state_min_bytes, state_age = self.state_age_bytes,
        client_ttl = self.client_ttl, compact_interval = self.compact_interval,
        on_trouble = function(_, why, number)
            self.log("error", "an upload was left out", { file = entry.path, reason = why, code = number })
        end,
        on_work = function() on_work(self, entry) end,
        on_state = self.state_transfer ~= false and function() on_state(self, entry) end or nil,
    })
    if not file then return nil, message, code end
    if is_new then
        ok, reason = realms.note(folder, partition)
        if not ok then self.log("warning", "the list of partitions could not be written", { reason = reason }) end
    end
    entry.file = file
    self.open_files[key] = entry
    self.log("info", "file opened", { app = app_id, partition = partition, path = path })
    return file
end

---Removes realms of an app for good, also while clients are connected: these come back to empty realms, and are told
---to reset theirs.
---@param app_id string
---@param partitions string[] canonical forms
---@return integer|nil erased how many there were
---@return string|nil message
function files:erase(app_id, partitions)
    for _, partition in ipairs(partitions) do
        local entry = self.open_files[app_id .. "\0" .. partition]
        if entry then drop(self, entry) end
    end
    return realms.erase(realms.folder(self.directory, app_id), partitions)
end

---Inside a handler: lets everything else go on before it returns (task.lua).
function files:give_way()
    local timer
    task.wait(function(resume)
        timer = self.loop:timer(0, resume)
        self.gaps[timer] = true
    end)
    self.gaps[timer] = nil
end

local function is_used(self, entry)
    return entry.file:sessions() > 0 or entry.file:waiting() or self.making[entry] or self.caring[entry]
end

---Begins the care that is due and closes what nobody uses. Called now and then.
---@param now number
function files:sweep(now)
    local list = {}
    for _, entry in pairs(self.open_files) do list[#list + 1] = entry end
    for _, entry in ipairs(list) do
        if not self.caring[entry] and take_care(self, entry) then begin_care(self, entry) end
    end
    for key, entry in pairs(self.open_files) do
        if is_used(self, entry) then
            entry.idle_since = nil
        elseif not entry.idle_since then
            entry.idle_since = now
        elseif now - entry.idle_since >= LINGER then
            entry.file:close()
            self.open_files[key] = nil
            self.log("info", "file closed", { path = entry.path })
        end
    end
end

---Does the work that waits and closes all files.
function files:close()
    if self.work_timer then self.work_timer:stop() end
    if self.state_timer then self.state_timer:stop() end
    if self.care_timer then self.care_timer:stop() end
    for timer in pairs(self.gaps) do timer:stop() end
    self.making, self.caring = {}, {}
    for key, entry in pairs(self.open_files) do
        if entry.file:waiting() then entry.file:work() end
        entry.file:close()
        self.open_files[key] = nil
    end
end

---@return integer
function files:count()
    local count = 0
    for _ in pairs(self.open_files) do count = count + 1 end
    return count
end

return files
