-- Documents into a realm, in transactions of a size that can be sent: first the objects, then the links between them
-- that had to wait.

local assign = require("syncline.assign")
local mending = require("syncline.exchange.mending")

local importer = {}

-- A batch ends when it has recorded so much. A transaction of about 16 MiB can still be sent.
local BATCH_BYTES = 1024 * 1024
-- Documents of more bytes have a batch of their own. Recorded they are larger, twelve times at most (a list of short
-- numbers), so that whatever comes last into a batch leaves it small enough.
local OWN_BATCH = 256 * 1024

local function short(message)
    return (message:gsub("^[^:\n]+:%d+: ", ""):gsub("\nstack traceback:.*", ""))
end

-- Calls fn; errors of the store go on as they are, everything else is raised as {where}.
local function at(where, fn, ...)
    local ok, result = pcall(fn, ...)
    if ok then return result end
    if type(result) == "table" and result.class ~= nil then error(result, 0) end
    error({ problem = where .. ": " .. short(tostring(result)) }, 0)
end

-- Works through `queue`: next() gives an item with `where` and `bytes`, false and what is wrong, or nil at the end;
-- do_item(item) writes it. One transaction of it: the number of items and whether there may be more, or nil, message,
-- code.
local function batch_of(realm, size, queue)
    local written, more, first, last = 0, true, nil, nil
    local function work()
        while written < size do
            local item = queue.waiting or queue.next()
            if not item then
                more = false
                break
            end
            queue.waiting = item
            if written > 0 and item.bytes > OWN_BATCH then break end
            queue.waiting = nil
            first, last = first or item.where, item.where
            queue.do_item(item)
            written = written + 1
            if realm:recorded_bytes() >= BATCH_BYTES then break end
        end
    end
    local fine, ok, message, code = pcall(realm.write, realm, work)
    if not fine then
        if type(ok) == "table" and ok.problem then return nil, ok.problem, "format" end
        error(ok, 0)
    end
    if not ok then
        local where = first == last and first or ("%s to %s"):format(first, last)
        return nil, first and ("%s: %s"):format(where, message) or message, code
    end
    return written, more
end

local function run_queue(self, queue, on_batch)
    local more = true
    while more do
        local written, rest, code = batch_of(self.realm, self.options.batch or 1000, queue)
        if not written then return nil, rest, code end
        more = rest
        on_batch(written)
    end
    return true
end

-- The documents of a source as items.
local function documents_of(source)
    local prefix = source.name and source.name .. ": " or ""
    return function()
        local document, where, bytes = source.documents()
        if document == false then error({ problem = prefix .. where }, 0) end
        if document == nil then return nil end
        return { document = document, where = prefix .. where, bytes = bytes or 0 }
    end
end

local function import_source(self, source, class)
    local realm, policy, later, count = self.realm, self.options.policy, self.later, 0
    local function create(item)
        local document, where = item.document, item.where
        local key = class.key and document[class.key.name]
        local partial = policy ~= nil and key ~= nil and at(where, realm.object, realm, class.name, key) ~= nil
        local links = at(where, self.mending.first, self.mending, class, document, where, partial)
        local object = at(where, realm.create, realm, class.name, document, policy)
        if links then
            later[#later + 1] = { class = class, object = object, values = links, where = where, bytes = item.bytes, key = key }
        end
    end
    local ok, message, code = run_queue(self, { next = documents_of(source), do_item = create }, function(written)
        count, self.total = count + written, self.total + written
        if self.options.progress then self.options.progress(self.total) end
    end)
    if not ok then return nil, ("%s (%d objects were imported before)"):format(message, self.total), code end
    return count
end

-- The links that had to wait for their objects.
local function import_links(self)
    local realm, later, done = self.realm, self.later, 0
    local function next_entry()
        done = done + 1
        local entry = later[done]
        later[done] = false
        return entry or nil
    end
    local function set(entry)
        local values = at(entry.where, self.mending.rest, self.mending, entry.class, entry.values, entry.where, entry.key)
        at(entry.where, assign.fill_object, realm, entry.object, entry.class.name, values, false, self.options.policy)
    end
    return run_queue(self, { next = next_entry, do_item = set }, function() end)
end

---See exchange.import_all.
function importer.run(realm, sources, options)
    local classes = realm:present_classes()
    for _, source in ipairs(sources) do
        if not classes[source.class] then return nil, ("there is no class '%s'"):format(tostring(source.class)), "usage" end
    end
    local self = { realm = realm, options = options, later = {}, total = 0, mending = mending.new(realm, options.warn) }
    local report = { counts = {} }
    for i, source in ipairs(sources) do
        local count, message, code = import_source(self, source, classes[source.class])
        if not count then return nil, message, code end
        report.counts[i] = count
    end
    if #self.later > 0 then
        local ok, message, code = import_links(self)
        if not ok then return nil, message, code end
    end
    report.links, report.members = self.mending.links, self.mending.members
    return report
end

return importer
