-- Properties, keys and dictionary entries may have any name, those of our own methods included: every name of
-- every metatable goes through everything that handles objects.
local core = require("syncline.core")
local process = require("support.process")
local syncline = require("syncline")

local FURTHER = { "id", "name", "type", "realm", "length", "__index", "__newindex", "__gc", "n", "end", "nil" }

-- The names of all methods there are, and a few more that readers of objects like to use.
local function reserved()
    local seen, names = {}, {}
    local function add(name)
        if type(name) == "string" and not seen[name] then
            seen[name], names[#names + 1] = true, name
        end
    end
    for _, kind in ipairs({ "object", "list", "set", "dictionary" }) do
        for name in pairs(core.realm[kind]) do add(name) end
    end
    for name in pairs(require("syncline.realm")) do add(name) end
    for _, name in ipairs(FURTHER) do add(name) end
    table.sort(names)
    return names
end

local NAMES = reserved()

local function properties(extra)
    local out = {}
    for _, name in ipairs(NAMES) do out[name] = "string?" end
    for name, kind in pairs(extra) do out[name] = kind end
    return out
end

local SCHEMA = {
    { name = "Thing", primary_key = "_id", properties = properties({
        _id = "int", _embedded = "Part", _parts = "Part[]", _other = "Thing", _others = "Thing[]", _words = "string{}",
        _any = "mixed",
    }) },
    { name = "Part", embedded = true, properties = properties({ _inner = "Inner" }) },
    { name = "Inner", embedded = true, properties = properties({}) },
}

-- A value for every name.
local function named(prefix)
    local out = {}
    for _, name in ipairs(NAMES) do out[name] = prefix .. name end
    return out
end

local function part(prefix)
    local out = named(prefix)
    out._inner = named(prefix .. "inner ")
    return out
end

local function thing(id, prefix)
    local out = named(prefix)
    out._id, out._embedded, out._parts = id, part(prefix .. "embedded "), { part(prefix .. "first "), part(prefix .. "second ") }
    out._words, out._any = named(prefix .. "word "), { named(prefix .. "any "), named(prefix .. "any ") }
    return out
end

local function check_names(object, prefix)
    for _, name in ipairs(NAMES) do assert.equal(prefix .. name, object[name]) end
end

local function check_part(object, prefix)
    check_names(object, prefix)
    check_names(object._inner, prefix .. "inner ")
end

local function check(object, prefix)
    check_names(object, prefix)
    check_part(object._embedded, prefix .. "embedded ")
    check_part(object._parts[1], prefix .. "first ")
    check_part(object._parts[2], prefix .. "second ")
    for _, name in ipairs(NAMES) do
        assert.equal(prefix .. "word " .. name, object._words:get(name))
        assert.equal(prefix .. "any " .. name, object._any[2]:get(name))
    end
end

describe("names of our own methods", function()
    local folder

    before_each(function() folder = process.folder() end)
    after_each(function() process.remove_folder(folder) end)

    local function open(name, sync)
        return assert(syncline.open({ path = name and folder .. "/" .. name or ":memory:", schema = SCHEMA, sync = sync }))
    end

    local function fill(realm)
        assert(realm:write(function()
            local one, two = realm:create("Thing", thing(1, "a ")), realm:create("Thing", thing(2, "b "))
            one._other, one._others = two, { two, one }
            two._other = { _id = 3, class = "made on the way" }
        end))
    end

    it("are names of properties like all others when objects are written and read", function()
        local realm = open()
        fill(realm)
        local one = realm:object("Thing", 1)
        check(one, "a ")
        assert.equal("made on the way", realm:object("Thing", 3).class)
        check(one._other, "b ")
        assert(realm:write(function()
            for _, name in ipairs(NAMES) do one[name] = "new" end
            realm:create("Thing", thing(1, "c "), "modified")
            realm:create("Thing", thing(2, "d "), "all")
        end))
        check(one, "c ")
        check(realm:object("Thing", 2), "d ")
        local plain = syncline.to_table(one)
        check_names(plain, "c ")
        check_part(plain._parts[2], "c second ")
        assert.equal(syncline.link("Thing", 2), plain._other)
        assert(realm:write(function()
            one._embedded, one._parts, one._any = realm:object("Thing", 2)._embedded, realm:object("Thing", 2)._parts, one
            realm:delete(realm:objects("Thing"):where({ _id = 2 }))
        end))
        check_part(one._embedded, "d embedded ")
        check_part(one._parts[1], "d first ")
        assert.equal(one, one._any)
        realm:close()
    end)

    it("are found, sorted and observed", function()
        local realm = open()
        fill(realm)
        local things, heard = realm:objects("Thing"), {}
        for _, name in ipairs(NAMES) do
            assert.equal(2, things:where({ [name] = "b " .. name }):first()._id)
            assert.equal(2, things:where({ _id = { "<", 3 } }):sorted(function(a, b) return a._id < b._id end)
                :sorted(name, true):first()._id)
        end
        syncline.object.observe(realm:object("Thing", 1), function(object, change) heard[#heard + 1] = { object, change } end)
        realm:object("Thing", 1)._words:observe(function(words) heard[#heard + 1] = { words } end)
        local results_heard = 0
        things:observe(function(_, changes) results_heard = results_heard + #changes.modifications end)
        assert(realm:write(function()
            for _, name in ipairs(NAMES) do realm:object("Thing", 1)[name] = "x" end
            realm:object("Thing", 1)._words:set("key", "x")
        end))
        assert.equal(2, #heard)
        assert.equal(#NAMES + 1, #heard[1][2].properties)
        assert.is_true(results_heard > 0)
        realm:close()
    end)

    it("leave the methods within reach", function()
        local realm = open()
        fill(realm)
        local one, method = realm:object("Thing", 1), syncline.object
        assert.equal("Thing", method.class(one))
        assert.equal(1, method.key(one))
        assert.is_true(method.is_valid(one))
        assert.equal("a get", method.get(one, "get"))
        assert.equal(1, #method.linking_objects(one, "Thing", "_others"))
        assert.equal("a set", syncline.to_table(one).set)
        assert(realm:write(function() method.set(one, { set = "new", key = "newer" }) end))
        assert.equal("new", one.set)
        assert.equal("newer", one.key)
        realm:close()
    end)

    it("may be the name of the primary key, and of a class", function()
        for _, name in ipairs(NAMES) do
            local realm = assert(syncline.open({ path = ":memory:", schema = {
                { name = name, primary_key = name, properties = {
                    [name] = "string", _next = { type = "object", class = name }, _all = { type = "object[]", class = name },
                } },
            } }))
            assert(realm:write(function()
                local a = realm:create(name, { [name] = "a" })
                local b = realm:create(name, { [name] = "b", _next = a, _all = { { [name] = "c" }, a } })
                realm:create(name, { [name] = "b", _next = b }, "modified")
            end))
            assert.equal("b", realm:object(name, "b")._next[name])
            assert.equal("c", realm:objects(name):sorted(name):last()[name])
            assert.equal(syncline.link(name, "a"), syncline.to_table(realm:object(name, "b"))._all[2])
            realm:close()
        end
    end)

    it("go through the commands in every format", function()
        local realm = open("a.realm")
        fill(realm)
        realm:close()
        process.write_file(folder .. "/schema.lua", "local NAMES = { '" .. table.concat(NAMES, "', '") .. [[' }
            local function properties(out)
                for _, name in ipairs(NAMES) do out[name] = "string?" end
                return out
            end
            return {
                { name = "Thing", primary_key = "_id", properties = properties({ _id = "int", _embedded = "Part", _parts = "Part[]",
                    _other = "Thing", _others = "Thing[]", _words = "string{}", _any = "mixed" }) },
                { name = "Part", embedded = true, properties = properties({ _inner = "Inner" }) },
                { name = "Inner", embedded = true, properties = properties({}) },
            }]])
        local before
        for _, format in ipairs({ "jsonl", "ejson", "csv" }) do
            local status, text, message = process.syncline(("export --path %s/a.realm --class Thing --format %s"):format(folder, format))
            assert.equal(0, status, message)
            status, _, message = process.syncline(("import --path %s/%s.realm --schema %s/schema.lua --class Thing --format %s -")
                :format(folder, format, folder, format), text)
            assert.equal(0, status, message)
            local _, again = process.syncline(("export --path %s/%s.realm --class Thing --format ejson"):format(folder, format))
            before = before or again
            assert.equal(before, again)
            local copy = open(format .. ".realm")
            check(copy:object("Thing", 1), "a ")
            check(copy:object("Thing", 1)._other, "b ")
            copy:close()
        end
        local _, found = process.syncline(("export --path %s/a.realm --class Thing --where '{\"key\":\"b key\"}'"):format(folder))
        assert.matches("^{\"_id\":2,", found)
    end)

    it("are synchronised", function()
        local server = assert(syncline.server.start({ port = 0, storage = folder .. "/server", log = { level = "off" } }))
        local function sync(name)
            return { url = server:url(), token = server:token("default", name), partition = "p", ca_file = server:ca_file() }
        end
        local a, b = open("a.realm", sync("a")), open("b.realm", sync("b"))
        fill(a)
        assert(a:sync_session():wait_for_upload(20))
        assert(b:sync_session():wait_for_download(20))
        check(b:object("Thing", 1), "a ")
        local heard = 0
        syncline.object.observe(a:object("Thing", 1), function() heard = heard + 1 end)
        assert(b:write(function() b:create("Thing", thing(1, "z "), "all") end))
        assert(b:sync_session():wait_for_upload(20))
        assert(a:sync_session():wait_for_download(20))
        check(a:object("Thing", 1), "z ")
        assert.is_true(heard > 0)
        a:close()
        b:close()
        server:stop()
        assert(syncline.run(function() return server.stopped end, 10))
        server:close()
    end)
end)
