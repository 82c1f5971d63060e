-- The realm files of a server: partition to file, opened when first bound, closed when nobody has used
-- them for a while. Work that sessions queue is done once per turn of the loop, for all files; the
-- sessions then wake their connections.

local core = require("syncline.core")
local auth = require("syncline.auth")
local disk = require("syncline.disk")

local files = {}
files.__index = files

-- Seconds that a file stays open without sessions, and for which one turn of the loop makes states.
local LINGER, SLICE = 60, 0.005

---@param options { directory: string, loop: userdata, log: function, keep_originals: boolean|nil,
---max_backlog: integer|nil, state_transfer: boolean|nil, state_min_bytes: integer|nil, state_age_bytes: integer|nil }
function files.new(options)
    return setmetatable({
        directory = options.directory, loop = options.loop, log = options.log, keep_originals = options.keep_originals,
        max_backlog = options.max_backlog, open_files = {}, waiting = {}, making = {},
        state_transfer = options.state_transfer, state_min_bytes = options.state_min_bytes,
        state_age_bytes = options.state_age_bytes,
    }, files)
end

-- The name says nothing about the partition, so that any text can be one; the list beside the files
-- tells people which is which.
local function file_name(partition)
    return auth.hex(auth.sha256(partition)):sub(1, 40)
end

local function list_partition(self, folder, name, partition)
    local line = ("%s\t%s\n"):format(name, partition)
    local ok, message = disk.append(folder .. "/partitions.tsv", line)
    if not ok then self.log("warning", "the list of partitions could not be written", { reason = message }) end
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

local function do_work(self, entry)
    self.waiting[entry] = nil
    local ok, message, code = entry.file:work()
    if ok then return end
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
        local more, message, code = entry.file:make_state()
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
    local folder, name = ("%s/apps/%s/realms"):format(self.directory, app_id), file_name(partition)
    local ok, reason = disk.make_folder(folder)
    if not ok then return nil, reason, "storage" end
    local path = ("%s/%s.realm"):format(folder, name)
    local is_new = not disk.exists(path)
    entry = { path = path }
    local file, message, code = core.server.file({
        path = path, keep_originals = self.keep_originals, max_backlog = self.max_backlog,
        min_state = self.state_min_bytes, state_age = self.state_age_bytes,
        on_work = function() on_work(self, entry) end,
        on_state = self.state_transfer ~= false and function() on_state(self, entry) end or nil,
    })
    if not file then return nil, message, code end
    if is_new then list_partition(self, folder, name, partition) end
    entry.file = file
    self.open_files[key] = entry
    self.log("info", "file opened", { app = app_id, partition = partition, path = path })
    return file
end

---Closes what nobody uses. Called now and then.
---@param now number
function files:sweep(now)
    for key, entry in pairs(self.open_files) do
        if entry.file:sessions() > 0 or entry.file:waiting() or self.making[entry] then
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
    self.making = {}
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
