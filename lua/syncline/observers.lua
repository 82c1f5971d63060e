-- Who is told what about a realm. Observers are called after a commit, never inside of it, one after the other and
-- never one inside another: what an observer writes is told when the round is over. Results that are observed are kept
-- up to date by the core; everybody who observes the same results shares that work.

local core = require("syncline.core")
local check = require("syncline.check")
local positions = require("syncline.positions")

local observers = {}

local unpack = table.unpack or unpack -- luacheck: ignore

---@class syncline.Observer
local Observer = {}
Observer.__index = Observer

local object_methods = core.realm.object -- called as functions: a property may have the name of a method

local function trace(problem)
    if type(problem) == "string" then return debug.traceback(problem, 2) end
    return problem
end

local function report(realm, problem)
    local ok, again = pcall(realm.on_observer_error, tostring(problem))
    if not ok then io.stderr:write("syncline: error in on_observer_error: ", tostring(again), "\n") end
end

-- ---- results that are observed ----------------------------------------------------------------------

-- What several observers have in common: `live` of the core, `observers` of it.
local Source = {}
Source.__index = Source

local function name_of(object)
    local key = object_methods.key(object)
    return type(key) .. ":" .. tostring(key)
end

-- Results in an order that a function gives are put in order anew, and compared.
local function rearrange(self, deletions, modifications)
    local objects = self.filtered()
    local modified = {}
    for _, at in ipairs(modifications or {}) do
        if objects[at] then modified[name_of(objects[at])] = true end
    end
    local names = {}
    for i, object in ipairs(self.arrange(objects)) do names[i] = name_of(object) end
    local old = self.names
    self.names = names
    if not old then return nil end
    local changes = positions.compare(old, names, modified)
    local any = deletions or changes.deletions[1] or changes.insertions[1]
    return any and changes or nil
end

local function find_changes(self, replaced)
    local problem, deletions, insertions, old_modifications, modifications = self.live:update(replaced)
    if problem ~= nil then report(self.realm, problem) end
    if self.arrange then return rearrange(self, deletions, modifications) end
    if not deletions then return nil end
    return { deletions = deletions, insertions = insertions, old_modifications = old_modifications,
        modifications = modifications }
end

-- Everything that was committed is known to the observers afterwards, as something they are still to be told.
function Source:advance(replaced)
    if self.realm.handle:writing() then return end
    local ok, changes = xpcall(function() return find_changes(self, replaced) end, trace) -- 5.1 passes no arguments
    if not ok then return report(self.realm, changes) end
    self.filled = true
    if not changes then return end
    for _, observer in ipairs(self.observers) do
        if not observer.initial then
            observer.pending = observer.pending and positions.merge(observer.pending, changes) or changes
        end
    end
end

-- A new list without `item`.
local function remove(list, item)
    local rest = {}
    for _, other in ipairs(list) do
        if other ~= item then rest[#rest + 1] = other end
    end
    return rest
end

-- ---- telling ----------------------------------------------------------------------------------------

local function call(observer, first, second)
    local fn = observer.fn
    local ok, problem = xpcall(function() fn(first, second) end, trace)
    if not ok then report(observer.realm, problem) end
end

-- Tells an observer of results; whether there was anything to tell.
local function tell_results(self)
    if self.realm.handle:writing() then return false end
    self.source:advance()
    if self.initial and self.source.filled then
        self.initial = false
        call(self, self.results, positions.none())
        return true
    end
    local changes = self.pending
    if not changes then return false end
    self.pending = nil
    if not (changes.deletions[1] or changes.insertions[1] or changes.modifications[1]) then return false end
    call(self, self.results, changes)
    return true
end

local function tell_commit(self)
    local changes = table.remove(self.queue, 1)
    if changes then call(self, self.realm, changes) end
    return changes ~= nil
end

-- One round, here and now.
local function deliver(realm)
    if realm.delivering then return end
    realm.delivering = true
    local more
    repeat
        more = false
        for _, observer in ipairs(realm.observers) do
            if not observer.stopped then more = observer:tell() or more end
        end
    until not more
    realm.delivering = nil
end

---Tells everybody what they have not heard yet. Called inside of an observer it does nothing: the round that is
---under way goes on until there is nothing more to tell. A host that was given as `dispatch` says when.
---@param realm syncline.Realm
function observers.deliver(realm)
    if not realm.dispatch then return deliver(realm) end
    if realm.dispatched then return end
    realm.dispatched = true
    realm.dispatch(function()
        realm.dispatched = nil
        deliver(realm) -- nobody is left to tell when the realm was closed meanwhile
    end)
end

---`fn` as the host wants it called: by `dispatch`, if there is one.
---@param dispatch fun(fn: fun())|nil
---@param fn function|nil
---@return function|nil
function observers.hosted(dispatch, fn)
    if not dispatch or not fn then return fn end
    return function(...)
        local count, given = select("#", ...), { ... }
        dispatch(function() fn(unpack(given, 1, count)) end)
    end
end

---After a commit or an integrated download. `replaced`: nobody knows what has changed.
---@param realm syncline.Realm
---@param replaced boolean|nil
function observers.notify(realm, replaced)
    realm:present_classes()
    if #realm.observers == 0 then return end -- listing what changed would cost more than the change
    local changes
    for _, observer in ipairs(realm.observers) do
        if observer.queue then
            changes = changes or realm.handle:changes() or false
            if changes then observer.queue[#observer.queue + 1] = changes end
        end
    end
    for _, source in pairs(realm.sources) do source:advance(replaced) end
    observers.deliver(realm)
end

-- ---- beginning and ending ---------------------------------------------------------------------------

local function add(realm, observer)
    observer.realm = realm
    if realm.delivering then realm.observers = remove(realm.observers) end -- the round that is under way keeps its own list
    realm.observers[#realm.observers + 1] = observer
    if realm.session then realm.session:listen() end
    return setmetatable(observer, Observer)
end

---See `realm:observe`.
---@param realm syncline.Realm
---@param fn function
---@return syncline.Observer
function observers.of_realm(realm, fn)
    check.argument("observe", fn, "function")
    return add(realm, { fn = fn, queue = {}, tell = tell_commit })
end

---See `results:observe`. `id` is equal for results that can share what is known of them; `make()` gives the
---core's live results and, for an order by functions, `filtered()` and `arrange(objects)`.
---@param realm syncline.Realm
---@param results syncline.Results
---@param id any
---@param make fun(): userdata, function|nil, function|nil
---@param fn function
---@return syncline.Observer
function observers.of_results(realm, results, id, make, fn)
    check.argument("results:observe", fn, "function")
    local source = realm.sources[id]
    if not source then
        local live, filtered, arrange = make()
        source = setmetatable({ realm = realm, id = id, live = live, filtered = filtered, arrange = arrange, observers = {} },
            Source)
        realm.sources[id] = source
    end
    local observer = add(realm, { fn = fn, results = results, source = source, initial = true, tell = tell_results })
    source.observers[#source.observers + 1] = observer
    if realm.dispatch then observers.deliver(realm) else observer:tell() end
    return observer
end

---Ends the notifications, also from inside the observer itself.
function Observer:stop()
    if self.stopped then return end
    local realm, source = self.realm, self.source
    self.stopped = true
    realm.observers = remove(realm.observers, self)
    if source then
        source.observers = remove(source.observers, self)
        if #source.observers == 0 then
            realm.sources[source.id] = nil
            source.live:close()
        end
    end
    if realm.session then realm.session:listen() end
end

---Nobody is told anything any more.
---@param realm syncline.Realm
function observers.close(realm)
    for _, observer in ipairs(realm.observers) do observer.stopped = true end
    for _, source in pairs(realm.sources) do source.live:close() end
    realm.observers, realm.sources = {}, {}
end

-- ---- objects and collections ------------------------------------------------------------------------

-- Changes of a commit by class and key, made when first asked for.
local by_key = setmetatable({}, { __mode = "k" })

local function index(touched)
    local found = {}
    for _, key in ipairs(touched.deleted) do found[tostring(key)] = { deleted = true, properties = {} } end
    for _, change in ipairs(touched.modified) do
        found[tostring(change.key)] = { deleted = false, properties = change.properties }
    end
    return found
end

local function find_change(changes, class, key)
    local touched = changes[class]
    if not touched then return nil end
    by_key[touched] = by_key[touched] or index(touched)
    return by_key[touched][key]
end

---See `object:observe`.
---@param object syncline.Object
---@param fn function
---@return syncline.Observer
function observers.of_object(object, fn)
    check.argument("object:observe", fn, "function")
    local class, key = object_methods.owner(object)
    local name = tostring(key)
    return observers.of_realm(object_methods.anchor(object).realm, function(_, changes)
        local change = find_change(changes, class, name)
        if change then fn(object, change) end
    end)
end

---See `collection:observe`.
---@param collection userdata
---@param fn function
---@return syncline.Observer
function observers.of_collection(collection, fn)
    check.argument("collection:observe", fn, "function")
    local class, key, property = collection:owner()
    local name = tostring(key)
    return observers.of_realm(collection:anchor().realm, function(_, changes)
        local change = find_change(changes, class, name)
        if not change then return end
        if change.deleted then return fn(collection, change) end
        for _, touched in ipairs(change.properties) do
            if touched == property then return fn(collection, change) end
        end
    end)
end

return observers
