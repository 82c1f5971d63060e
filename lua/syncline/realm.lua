-- An open realm: classes and objects in a file, or in memory, with or without synchronisation.

local core = require("syncline.core")
local aggregate = require("syncline.aggregate")
local assign = require("syncline.assign")
local check = require("syncline.check")
local observers = require("syncline.observers")
local results = require("syncline.results")
local schema = require("syncline.schema")
local transact = require("syncline.transact")

local object_methods = core.realm.object -- called as functions: a property may have the name of a method

---@class syncline.Realm
---@field path string
---@field handle userdata the core's realm
---@field classes table<string, table> schema by name
local Realm = {}
Realm.__index = Realm

-- A code that no error object has.
local RAISED = transact.RAISED
local CANCELLED = setmetatable({}, { __tostring = function() return "write cancelled" end })

local function is_error_object(value)
    return type(value) == "table" and value.class ~= nil and value.message ~= nil
end

local function check_self(self, method)
    if getmetatable(self) ~= Realm then check.fail("realm:%s: a realm expected; call it with a colon", method) end
end

-- ---- opening ----------------------------------------------------------------------------------------

local OPTIONS = { path = "string", schema = "table", sync = "table", fast_commits = "boolean", local_only = "boolean",
    strict_ids = "boolean", read_only = "boolean", dispatch = "function",
    timeout = "number", on_progress = "function", keep_trying = "boolean" } -- the last are open_async's
local INSTEAD = { partition = "sync = { partition = ... }", user = "sync = { user = ... }", url = "sync = { url = ... }",
    in_memory = "path = \":memory:\"", file = "path = FILE", on_done = "syncline.open_async{ on_done = ... }" }

local function refresh_classes(self)
    self.classes = schema.index(self.handle:schema(), self.declared)
    self.schema_seen = self.handle:schema_version()
end

local function apply_schema(self, classes, strict_ids)
    self.declared = schema.normalise(classes)
    local ok, message, code = self:write(function()
        self.handle:apply_schema(self.declared, strict_ids)
        refresh_classes(self)
    end)
    if not ok then return nil, message, code end
    return true
end

local function check_read_only(options)
    for _, name in ipairs({ "sync", "schema", "local_only", "fast_commits" }) do
        if options[name] then
            check.fail("syncline.open: a realm that is read_only takes no '%s': it changes nothing, and has the schema of its file",
                name)
        end
    end
    if (options.path or ":memory:") == ":memory:" then check.fail("syncline.open: read_only needs the 'path' of a file") end
end

-- A realm around a handle of the core that was opened elsewhere.
function Realm.adopt(handle, path)
    local self = setmetatable({ path = path, handle = handle, observers = {}, sources = {}, declared = nil }, Realm)
    handle:anchor().realm = self
    refresh_classes(self)
    return self
end

-- Calls fn; the file is not kept open, and locked, if that fails or raises an error.
local function or_close(handle, fn, ...)
    local fine, ok, why, number = pcall(fn, ...)
    if fine and ok then return true end
    handle:close()
    if not fine then error(ok, 0) end
    return nil, why, number
end

---Opens a realm file, or one in memory with `path = ":memory:"`.
---
---Options: `path`; `schema` (what this program needs: missing classes and properties are added, others
---are left alone; without it the file's own schema is used); `sync` (see `syncline.client`);
---`fast_commits` (commits are made durable in groups, at the latest before they are uploaded); `local_only`
---(the realm will never be synchronised: no history of its changes is kept, now and for ever. Without it a realm
---may be opened with `sync` later, and its content is uploaded then). The options of `syncline.open_async` for waiting are
---taken and mean nothing here. `read_only` (only look: a file that another program may have open, as it is at this moment;
---see `realm:refresh`); `dispatch` (a function that gets a function and calls it when the host is ready, `vim.schedule` say:
---observers and the handlers of `sync` are called through it). An unknown option is an error.
---@param options table
---@return syncline.Realm|nil realm
---@return string|nil message
---@return string|number|nil code
function Realm.open(options)
    if type(options) == "string" then options = { path = options } end
    check.options("syncline.open", options, OPTIONS, INSTEAD)
    local path = options.path or ":memory:"
    if options.local_only and options.sync then check.fail("syncline.open: a realm with 'local_only' cannot have 'sync'") end
    if options.read_only then check_read_only(options) end
    local handle, message, code = core.realm.open({
        path = path, fast_commits = options.fast_commits, local_only = options.local_only, read_only = options.read_only,
    })
    if not handle then return nil, message, code end
    if options.sync and handle:local_only() then
        handle:close()
        return nil, ("'%s' was made with local_only: it has no history that could be synchronised. Open it without sync, and " ..
            "copy its objects into a new realm that has sync"):format(path), "local_only"
    end
    local self = Realm.adopt(handle, path)
    self.fast_commits, self.dispatch, self.read_only = options.fast_commits, options.dispatch, options.read_only
    if options.schema then
        local ok, why, number = or_close(handle, apply_schema, self, options.schema, options.strict_ids)
        if not ok then return nil, why, number end
    end
    if options.sync then
        local ok, why, number = or_close(handle, require("syncline.client").attach, self, options.sync)
        if not ok then return nil, why, number end
    end
    return self
end

---Opens a realm whose content is on the server, and returns it when everything the server has is here.
---A new file receives the present content as a whole, if the server can do that, instead of everything that
---ever happened; then what changed meanwhile. An interrupted transfer goes on where it stood, also in the
---next process. A file that has content already is brought up to date.
---
---Options: those of `syncline.open`, with `sync`; `on_progress(done, total)` (bytes, which are compressed ones
---while the content arrives as a whole); `timeout` (seconds); `keep_trying` (true: go on although the server cannot be
---reached at first, see `session:wait_for_download`). The schema is applied last, so its classes may
---be there already.
---
---With `on_done(realm, message, code)` it does not wait: it returns a task at once, with `cancel()`,
---`running()` and `result()`, and calls `on_done` from the loop.
---@param options table
---@return syncline.Realm|syncline.OpenTask|nil realm
---@return string|nil message
---@return string|number|nil code
function Realm.open_async(options)
    return require("syncline.open_async").run(Realm.open, options)
end

-- The file was replaced by the state that the server sent.
function Realm:replaced()
    refresh_classes(self)
    observers.notify(self, true)
end

---A realm that is read_only shows its file as it was when it was opened; from now on as it is now. Observers are told
---what differs.
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function Realm:refresh()
    if not self.read_only then check.fail("realm:refresh: only a realm that is read_only stands still") end
    local ok, message, code = self.handle:refresh(self.path)
    if not ok then return nil, message, code end
    self:replaced()
    return true
end

---Closes the realm; its objects must not be used afterwards. Closing twice is harmless.
function Realm:close()
    if self.session then
        self.session:close()
        self.session = nil
    end
    observers.close(self)
    self.handle:close()
end

Realm.__close = Realm.close

---@return boolean
function Realm:is_closed()
    return not pcall(self.handle.writing, self.handle)
end

-- ---- writing ----------------------------------------------------------------------------------------

local function pack(ok, ...)
    return ok, { n = select("#", ...), ... }
end

local unpack = table.unpack or unpack -- luacheck: ignore

-- Runs fn inside the open write. True and its results, or nil after a rollback: message and code, or what
-- fn has raised and the code RAISED.
function Realm._attempt(self, fn, ...)
    local ok, out = pack(pcall(fn, self, ...))
    if ok then return true, out end
    self.handle:rollback()
    refresh_classes(self)
    observers.deliver(self) -- those that were made inside
    if self.session then self.session:nudge() end -- messages may have waited
    local problem = out[1]
    if problem == CANCELLED then return nil, "the write was cancelled", "cancelled" end
    if is_error_object(problem) then return nil, problem.message, problem.code end
    return nil, problem, RAISED
end

---Runs `fn(realm, ...)` as one transaction, all or nothing, and returns true and what `fn` returned.
---
---An error inside `fn` rolls everything back and is raised again. When the store fails (a full disk,
---say), or `realm:cancel()` was called, everything is rolled back and nil, message, code returned.
---@param fn function
---@return boolean|nil ok
---@return any ... results of `fn`, or message and code
function Realm:write(fn, ...)
    check_self(self, "write")
    return self:write_as(0, fn, ...)
end

---As `realm:write`, for a program that is itself a server: in the name of one of its own clients, whose ident
---`session:allocate` has given. 0: of the file itself.
---@param author integer
---@param fn function
---@return boolean|nil ok
---@return any ... results of `fn`, or message and code
function Realm:write_as(author, fn, ...)
    if fn == nil then check.argument("realm:write", fn, "function") end
    local handle = self.handle
    if self.read_only then check.fail("realm:write: this realm was opened with read_only = true") end
    if handle:writing() then check.fail("realm:write: a write is open already; writes do not nest") end
    local began, message, code = handle:begin(author)
    if not began then return nil, message, code end
    local ok, out, failure = Realm._attempt(self, fn, ...)
    if not ok and failure == RAISED then error(out, 0) end
    if not ok then return nil, out, failure end
    local version, why, number = handle:commit()
    if not version then
        refresh_classes(self)
        return nil, why, number
    end
    self:notify()
    if self.session then self.session:nudge() end
    return true, unpack(out, 1, out.n)
end

---Runs `fn(realm)` as one serialized transaction: it takes effect exactly on what it has read, or not at all.
---
---A plain `realm:write` is merged with what others write at the same time. This one asks the server, which
---takes it only if it had no change that was not here yet when `fn` ran; else the answer is nil, message,
---`"conflict"`, everything is as before, and what was in the way is here, so that trying again makes sense:
---
---    local ok, why, code
---    repeat ok, why, code = realm:transact(take_seat) until ok or code ~= "conflict"
---
---What `fn` writes is seen by nobody, observers included, until the server has accepted it; objects that `fn`
---creates must not be used after it. It runs the event loop meanwhile, as `session:wait_for_upload` does, and
---must not be called inside a write or an observer (see `realm:transact_async`). Without sync it is a
---`realm:write`.
---
---Options: `timeout` in seconds; `keep_trying` (true: wait on where a server cannot be reached).
---@param fn fun(realm: syncline.Realm)
---@param options table|nil
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code `"conflict"`; `"timeout"` (nothing was done); `"unknown"` (the time was up, or
---the session ended, after the server was asked: it may have been done); `"unsupported"` (the server does not do
---it); `"cancelled"`; or why the session ended (nothing was done)
function Realm:transact(fn, options)
    return transact.run(self, fn, options)
end

---As `realm:transact`, for programs with a loop of their own: returns at once; `fn` runs when it can, and
---`on_done(ok, message, code)` hears of the outcome. An error inside `fn` arrives as code `"error"`. A server that was
---never reached ends it as it ends `session:wait_for_upload`; with the option `keep_trying` it waits on.
---@param fn fun(realm: syncline.Realm)
---@param on_done fun(ok: boolean|nil, message: string|nil, code: string|number|nil)
---@param options table|nil
function Realm:transact_async(fn, on_done, options)
    transact.start(self, fn, on_done, options)
end

---Inside a write: gives it up. Everything is rolled back, and `realm:write` returns nil.
function Realm:cancel()
    if not self.handle:writing() then check.fail("realm:cancel: no write is open; it belongs inside realm:write") end
    error(CANCELLED, 0)
end

---@return boolean
function Realm:is_writing()
    return self.handle:writing()
end

---How many bytes the open write has recorded so far: what it will take on its way to the server, before compression. 0 outside
---of a write. A program that writes much can end a write before it is too large to send.
---@return integer
function Realm:recorded_bytes()
    return self.handle:recorded_bytes()
end

-- The schema by name as it is now: downloads change it, too.
function Realm:present_classes()
    if self.handle:schema_version() ~= self.schema_seen then refresh_classes(self) end
    return self.classes
end

local function class_of(self, name, method)
    check_self(self, method)
    check.argument("realm:" .. method, name, "string")
    local classes = self:present_classes()
    local class = classes[name]
    if class then return class end
    if next(classes) == nil then
        check.fail("there is no class '%s': the realm has none yet; give syncline.open a 'schema'", tostring(name))
    end
    check.fail("there is no class '%s'%s", tostring(name), check.hint(name, classes))
end

---Creates an object. `values` may hold tables for embedded objects, collections and linked objects.
---
---`policy` says what happens when an object with that key is there: nil raises an error, `"all"` writes
---every given property, `"modified"` only those that differ.
---@param class_name string
---@param values table|nil
---@param policy string|nil
---@return syncline.Object
function Realm:create(class_name, values, policy)
    values = values or {}
    check.argument("realm:create, values", values, "table|userdata")
    local class = class_of(self, class_name, "create")
    if class.kind == "embedded" then
        check.fail("realm:create: %s is embedded: its objects are made by assigning a table of values to the property " ..
            "that holds them", class_name)
    end
    if policy ~= nil and policy ~= "all" and policy ~= "modified" then
        check.fail("realm:create: the policy is nil, \"all\" or \"modified\", not '%s'", tostring(policy))
    end
    local key = assign.key(class, values)
    if key ~= nil and class.key and policy == nil and self.handle:object(class_name, key) then
        check.fail("realm:create: %s has an object with the key %s already; the policy \"modified\" or \"all\" updates it",
            class_name, tostring(key))
    end
    local object, is_new = self.handle:create(class_name, key)
    return assign.fill_object(self, object, class_name, values, is_new, policy)
end

---Deletes an object, or an array or results of objects.
---@param what syncline.Object|syncline.Results|syncline.Object[]
function Realm:delete(what)
    local found = core.realm.fields(what)
    check.argument("realm:delete", what, "userdata|table")
    if type(what) == "userdata" and not found then return self.handle:delete(what) end
    local objects = found and what:to_array() or what
    for _, object in ipairs(objects) do
        if object_methods.is_valid(object) then self.handle:delete(object) end
    end
end

---Deletes all objects of a class.
---@param class_name string
function Realm:delete_all(class_name)
    self.handle:delete_all(class_name)
end

---Adds classes and properties to an open realm, as the option `schema` does.
---@param classes table
---@param strict_ids boolean|nil
---@return boolean|nil ok
---@return string|nil message
---@return string|number|nil code
function Realm:update_schema(classes, strict_ids)
    return apply_schema(self, classes, strict_ids)
end

-- ---- reading ----------------------------------------------------------------------------------------

---The object with a primary key, or nil.
---@param class_name string
---@param key any
---@return syncline.Object|nil
function Realm:object(class_name, key)
    return self.handle:object(class_name, key)
end

---The objects of a class, ordered by key.
---@param class_name string
---@return syncline.Results
function Realm:objects(class_name)
    if class_of(self, class_name, "objects").kind == "embedded" then
        check.fail("realm:objects: %s is embedded: its objects are found through the objects that hold them", class_name)
    end
    return results.new(self, class_name)
end

---The schema of the file, normalised.
---@return syncline.Class[]
function Realm:schema()
    return self.handle:schema()
end

---Numbers about the file: version, progress of synchronisation and so on.
---@return table
function Realm:info()
    return self.handle:info()
end

---The whole content as canonical text; equal texts mean equal realms.
---@return string
function Realm:state()
    return self.handle:state()
end

-- ---- notifications ----------------------------------------------------------------------------------

---Calls `fn(realm, changes)` after every commit and every integrated download: `changes[class]` has
---`inserted` (keys), `modified` (`{key=, properties={...}}`) and `deleted` (keys). See `results:observe` for
---what happens to the objects that a query finds.
---@param fn fun(realm: syncline.Realm, changes: table)
---@return syncline.Observer
function Realm:observe(fn)
    return observers.of_realm(self, fn)
end

---What happens to an error inside an observer; default: a line on standard error. Others are called
---nevertheless, and the commit stands.
---@param message string
function Realm.on_observer_error(message)
    io.stderr:write("syncline: error in an observer: ", message, "\n")
end

-- Tells the observers what the last transaction touched.
function Realm:notify()
    observers.notify(self)
end

-- A change that came from elsewhere is in the realm.
function Realm:touched()
    observers.notify(self)
end

---object:observe(fn): calls `fn(object, change)` when the object changed (`change.properties`: names) or
---was deleted (`change.deleted`).
core.realm.object.observe = observers.of_object

-- collection:observe(fn): calls fn(collection, change) when the property that holds it changed.
core.realm.list.observe = observers.of_collection
core.realm.set.observe = observers.of_collection
core.realm.dictionary.observe = observers.of_collection

-- ---- sums of collections ----------------------------------------------------------------------------

aggregate.add_to(core.realm.list, "list")
aggregate.add_to(core.realm.set, "set")

-- ---- synchronisation --------------------------------------------------------------------------------

---The sync session of this realm, or nil.
---@return syncline.Session|nil
function Realm:sync_session()
    return self.session
end

return Realm
