-- Indexes and queries by value.
local process = require("support.process")
local syncline = require("syncline")

local null = syncline.null

local function keys_of(results)
    local out = {}
    for object in results:each() do out[#out + 1] = tostring(object:key()) end
    return out
end

local SCHEMA = {
    {
        name = "Person", primary_key = "_id",
        properties = {
            { name = "_id", type = "int" },
            { name = "name", type = "string", indexed = true },
            { name = "age", type = "int?", indexed = true },
            { name = "height", type = "double?" },
            { name = "money", type = "decimal?" },
            { name = "awake", type = "bool", indexed = true },
            { name = "born", type = "timestamp?", indexed = true },
            { name = "any", type = "mixed", indexed = true },
            { name = "friend", type = "Person" },
            { name = "tags", type = "string[]" },
            { name = "home", type = "object", class = "Address" },
        },
    },
    { name = "Address", embedded = true, properties = { street = "string" } },
}

describe("an indexed property", function()
    local path = process.path()
    local function clear()
        for _, suffix in ipairs({ "", "-wal", "-shm", ".lock" }) do os.remove(path .. suffix) end
    end
    before_each(clear)
    after_each(clear)

    local function open(indexed, extra)
        return assert(syncline.open({
            path = path,
            schema = {
                { name = "C", primary_key = "_id", properties = {
                    _id = "int", a = { type = "string", indexed = indexed }, b = extra or "int" } },
            },
        }))
    end

    local function flag(realm, name)
        for _, class in ipairs(realm:schema()) do
            for _, property in ipairs(class.properties) do
                if property.name == name then return property.indexed or false end
            end
        end
    end

    it("comes, stays and goes with the schema that opens the file, and makes no version", function()
        local realm = open(nil)
        assert(realm:write(function() realm:create("C", { _id = 1, a = "x", b = 5 }) end))
        local version = realm:info().version
        assert.is_false(flag(realm, "a"))
        realm:close()
        realm = open(true)
        assert.is_true(flag(realm, "a"))
        assert.equal(version, realm:info().version)
        realm:close()
        realm = assert(syncline.open({ path = path }))
        assert.is_true(flag(realm, "a"))
        realm:close()
        realm = open(true)
        assert.equal(version, realm:info().version)
        assert.equal(1, realm:objects("C"):where({ a = "x" }):count())
        realm:close()
        realm = open(false)
        assert.is_false(flag(realm, "a"))
        assert.equal(version, realm:info().version)
        realm:close()
        realm = assert(syncline.open({ path = path }))
        assert.is_false(flag(realm, "a"))
        realm:close()
    end)

    it("stays when a schema does not mention it", function()
        open(true):close()
        local realm = assert(syncline.open({ path = path, schema = {
            { name = "C", primary_key = "_id", properties = { _id = "int", b = "int" } } } }))
        assert.is_true(flag(realm, "a"))
        realm:close()
    end)

    it("takes back a new index when the write rolls back", function()
        local realm = open(nil)
        assert.has_error(function()
            realm:write(function()
                realm.handle:apply_schema(require("syncline.schema").normalise({
                    { name = "C", primary_key = "_id", properties = {
                        _id = "int", a = { type = "string", indexed = true }, b = "int" } } }))
                assert.is_true(flag(realm, "a"))
                error("no")
            end)
        end)
        assert.is_false(flag(realm, "a"))
        realm:close()
        realm = assert(syncline.open({ path = path }))
        assert.is_false(flag(realm, "a"))
        realm:close()
    end)

    it("is refused for types that SDKs do not index", function()
        for _, kind in ipairs({ "double", "float", "decimal", "binary", "string[]", "int<>", "int{}", "C" }) do
            assert.has_error(function()
                syncline.open({ path = ":memory:", schema = {
                    { name = "C", properties = { { name = "p", type = kind, indexed = true } } } } })
            end)
        end
        for _, kind in ipairs({ "string", "int", "bool", "timestamp", "objectid", "uuid", "mixed", "int?" }) do
            local realm = assert(syncline.open({ path = ":memory:", schema = {
                { name = "C", properties = { { name = "p", type = kind, indexed = true } } } } }))
            assert.is_true(flag(realm, "p"))
            realm:close()
        end
    end)

    it("may stand in an embedded class, where it has no meaning", function()
        local realm = assert(syncline.open({ path = path, schema = {
            { name = "E", embedded = true, properties = { p = { type = "int", indexed = true } } } } }))
        assert.is_false(flag(realm, "p"))
        realm:close()
    end)
end)

local function suite(title, path_of)
    describe("a query of " .. title, function()
        local realm, people, path

        local function write(fn) return assert(realm:write(fn)) end

        before_each(function()
            path = path_of()
            realm = assert(syncline.open({ path = path, schema = SCHEMA }))
            people = realm:objects("Person")
            write(function()
                local function person(values) return realm:create("Person", values) end
                local ann = person({ _id = 1, name = "Ann", age = 30, height = 1.7, money = "1.50", awake = true,
                    born = syncline.timestamp(100), any = 1, tags = { "a" }, home = { street = "S" } })
                person({ _id = 2, name = "Bob", age = 17, height = 0 / 0, money = "20", any = "1", friend = ann })
                person({ _id = 3, name = "Cyn", height = -0.0, any = 1.0, friend = ann })
                person({ _id = 4, name = "Annabel", age = 30, any = true, born = syncline.timestamp(-1e12) })
                person({ _id = 5, name = "", age = -5, any = ann, born = syncline.timestamp(1e13) })
                person({ _id = 6, name = "\255x", age = 40, any = { 1 } })
            end)
        end)

        after_each(function()
            realm:close()
            if path ~= ":memory:" then
                for _, suffix in ipairs({ "", "-wal", "-shm", ".lock" }) do os.remove(path .. suffix) end
            end
        end)

        local function check(expected, conditions)
            local results = people:where(conditions)
            assert.same(expected, table.concat(keys_of(results), " "))
            assert.equal(#keys_of(results), results:count())
            assert.equal(#keys_of(results), people:where(conditions):count())
            local first = people:where(conditions):first()
            assert.equal(expected:match("^%d+"), first and tostring(first._id))
        end

        it("finds by equality, null included", function()
            check("1", { name = "Ann" })
            check("1 4", { age = 30 })
            check("1", { age = 30, name = "Ann" })
            check("", { name = "ann" })
            check("3", { age = null })
            check("3", { age = { "=" } })
            check("1 2 4 5 6", { age = { "~=", null } })
            check("2 3 5 6", { age = { "~=", 30 } })
            check("1", { awake = true })
            check("2", { _id = 2 })
            check("5", { name = "" })
        end)

        it("compares numbers across types, and NaN with nothing", function()
            check("1", { age = 30.0, money = 1.5 })
            check("1 4 6", { age = { ">", 29.5 } })
            check("", { age = 29.5 })
            check("2", { money = { ">=", syncline.decimal("1.500001") } })
            check("1", { money = "1.5" })
            check("3", { height = 0 })
            check("3", { height = { "<", 1 } })
            check("", { height = 0 / 0 })
            check("", { height = { ">=", 0 / 0 } })
            check("1 2 3 4 5 6", { height = { "~=", 0 / 0 } })
            check("2 5", { age = { "<", 30 } })
            check("1 2 4", { age = { "between", 17, 30 } })
            check("2 6", { age = { "in", { 17, 40, 99 } } })
            check("2 3", { age = { "in", { 17, null } } })
            check("", { age = { "in", {} } })
            check("1 4", { age = { { ">", 17 }, { "<", 40 } } })
        end)

        it("looks into strings bytewise", function()
            check("1 4", { name = { "begins_with", "Ann" } })
            check("4", { name = { "ends_with", "bel" } })
            check("1 2 3 4 5 6", { name = { "contains", "" } })
            check("6", { name = { "contains", "x" } })
            check("6", { name = { "begins_with", "\255" } })
            check("6", { name = { ">", "Cyn" } })
            check("1 2 4 5", { name = { "<", "C" } })
            check("6", { name = "\255x" })
        end)

        it("orders timestamps of any year", function()
            check("4", { born = { "<", syncline.timestamp(0) } })
            check("1 5", { born = { ">", syncline.timestamp(0) } })
            check("1 4", { born = { "<=", 100 } })
            check("5", { born = { ">", syncline.timestamp(1e12) } })
            check("5", { born = syncline.timestamp(1e13) })
        end)

        it("keeps the types of mixed apart, numbers excepted", function()
            check("1 3", { any = 1 })
            check("1 3", { any = syncline.decimal("1.0") })
            check("2", { any = "1" })
            check("4", { any = true })
            check("5", { any = realm:object("Person", 1) })
            check("1 3", { any = { ">", 0 } })
            check("2", { any = { "begins_with", "" } })
            check("2 3 4 5 6", { any = { "~=", syncline.int64 and syncline.int64("7") or 7 }, _id = { ">", 1 } })
        end)

        it("compares links by object, and counts those whose target is gone as null", function()
            local ann = realm:object("Person", 1)
            check("2 3", { friend = ann })
            check("2 3", { friend = syncline.link("Person", 1) })
            check("1 4 5 6", { friend = null })
            check("1 4 5 6", { friend = { "~=", ann } })
            check("", { friend = syncline.link("Person", 99) })
            write(function() realm:delete(ann) end)
            check("2 3 4 5 6", { friend = null })
            check("", { friend = syncline.link("Person", 1) })
            check("5", { any = null })
        end)

        it("composes with filter, sorted, where and observe", function()
            local grown = people:where({ age = { ">=", 18 } })
            assert.same({ "6", "1", "4" }, keys_of(grown:sorted("age", true)))
            assert.same({ "4", "1" }, keys_of(grown:where({ age = 30 }):sorted("name", true)))
            assert.same({ "4" }, keys_of(grown:filter(function(p) return #p.name > 3 end)))
            assert.same({ "4" }, keys_of(people:filter(function(p) return #p.name > 3 end):where({ age = 30 })))
            assert.same({ "3", "5", "2", "1", "4", "6" }, keys_of(people:sorted("age"))) -- null first
            assert.same({ "6", "1", "4", "2", "5", "3" }, keys_of(people:sorted("age", true)))
            local by_length = function(a, b) return #a.name < #b.name end
            assert.same({ "5", "6", "1", "2", "3", "4" }, keys_of(people:sorted(by_length)))
            assert.same({ "1", "5", "6", "2", "3", "4" }, keys_of(people:sorted(by_length):sorted("awake", true)))
            assert.equal(6, grown:sorted("age", true):first()._id)
            assert.equal(4, grown:last() and people:where({ name = "Annabel" }):last()._id)
            assert.equal("syncline.results of Person", tostring(grown))
        end)

        it("is counted and walked over in every way that the Lua knows, and loudly not in others", function()
            local thirty = people:where({ age = 30 })
            local long = people:filter(function(p) return #p.name > 2 end)
            local metamethods = #setmetatable({}, { __len = function() return 7 end }) == 7 -- Lua 5.2 and later
            for _, results in ipairs({ people, thirty, thirty:sorted("name"), long }) do
                local count, seen = results:count(), {}
                assert.equal(count, #results)
                assert.equal(count, #results:to_array())
                for position, object in results:iter() do seen[position] = object end
                assert.equal(count, #seen)
                for position = 1, count do
                    assert.equal(seen[position], results[position])
                    assert.equal(seen[position], results:at(position))
                end
                assert.equal(seen[1], results:first())
                assert.equal(seen[count], results:last())
                for _, beyond in ipairs({ 0, -1, count + 1, 1.5 }) do assert.is_nil(results[beyond]) end
                for _, walk in ipairs({ pairs, ipairs }) do
                    local ok, problem = pcall(function()
                        local position = 0
                        for i, object in walk(results) do
                            position = position + 1
                            assert.equal(position, i)
                            assert.equal(seen[i], object)
                        end
                        assert.equal(count, position)
                    end)
                    assert.equal(metamethods, ok)
                    if not metamethods then assert.matches("table expected, got userdata", problem) end
                end
            end
            assert.has_error(function() people.name = "x" end)
            local ok, problem = pcall(function() return people:cuont() end)
            assert.is_false(ok)
            assert.matches("query_spec.lua:%d+: results have no 'cuont'; did you mean 'count'", problem)
            assert.equal("Person", people.class)
        end)

        it("knows first, last and any position without a list of everything", function()
            for number, spec in ipairs({ { "_id", "int?", { null, -3, 5, 1000 } }, { "_id", "string", { "", "a", "b\195\164", "c" } },
                { "_id", "string", { "a", "b", "c", "\255" } }, { "_id", "string", { "a", "b\0", "b\0\255", "\255" } },
                { "_id", "uuid", { syncline.uuid(("0"):rep(8) .. "-0000-0000-0000-" .. ("0"):rep(12)), syncline.uuid() } },
                { "_id", "objectid", { syncline.objectid(("0"):rep(24)), syncline.objectid(("f"):rep(24)) } } }) do
                local class = "K" .. number
                assert(realm:update_schema({ { name = class, primary_key = spec[1], properties = { _id = spec[2], n = "int" } } }))
                local all = realm:objects(class)
                assert.is_nil(all:first())
                assert.is_nil(all:last())
                local function check_all(count)
                    for position = 1, count do
                        local fresh = realm:objects(class)
                        assert.equal(spec[3][position] == null and "nil" or tostring(spec[3][position]),
                            tostring(fresh:at(position)._id))
                    end
                    assert.is_nil(realm:objects(class):at(count + 1))
                    assert.equal(realm:objects(class):to_array()[1], realm:objects(class):first())
                    assert.equal(realm:objects(class):to_array()[count], realm:objects(class):last())
                end
                write(function()
                    for i = #spec[3], 1, -1 do realm:create(class, { _id = spec[3][i], n = i }) end
                    check_all(#spec[3])
                end)
                check_all(#spec[3])
            end
            assert(realm:update_schema({ { name = "Keyless", properties = { n = "int" } } }))
            write(function() for i = 1, 20 do realm:create("Keyless", { n = i }) end end)
            local keyless = realm:objects("Keyless")
            for position = 1, 20 do assert.equal(keyless:to_array()[position], realm:objects("Keyless"):at(position)) end
        end)

        it("sums and compares numbers in the core as a loop does", function()
            assert.equal(112, people:sum("age"))
            assert.equal(22.4, people:avg("age"))
            assert.equal(-5, people:min("age"))
            assert.equal(40, people:max("age"))
            assert.equal(60, people:where({ age = 30 }):sum("age"))
            assert.equal(70, people:filter(function(p) return p.age and p.age > 17 and p._id ~= 4 end):sum("age"))
            assert.equal(21, people:sum("_id"))
            assert.equal(2, people:sum("any")) -- 1 and 1.0, what is no number does not count
            local none = people:where({ age = 1000 })
            assert.equal(0, none:sum("age"))
            for _, name in ipairs({ "avg", "min", "max" }) do assert.is_nil(none[name](none, "age")) end
            assert.is_true(people:sum("height") ~= people:sum("height")) -- there is a NaN
            assert.equal(1.7, people:max("height"))
            assert.equal(0, people:min("height"))
            assert.equal(syncline.timestamp(1e13), people:max("born"))
            assert.equal(syncline.timestamp(-1e12), people:min("born"))
            assert.equal(syncline.decimal("20"), people:max("money"))
            for _, call in ipairs({ { "sum", "money" }, { "avg", "money" }, { "sum", "born" }, { "sum", "name" }, { "max", "tags" },
                { "sum", "nose" }, { "sum" } }) do
                local ok, problem = pcall(function() return people[call[1]](people, call[2]) end)
                assert.is_false(ok)
                assert.matches("query_spec.lua:%d+: ", problem)
            end
            write(function()
                realm:object("Person", 3).age = 8
                assert.equal(120, people:sum("age"))
                realm:object("Person", 1).age = syncline.int64("9223372036854775807")
            end)
            assert.has_error(function() people:sum("age") end)
            assert.equal(syncline.int64("9223372036854775807"), people:max("age"))
            write(function() realm:object("Person", 2).age = syncline.int64("-9223372036854775808") end)
            assert.equal(72, people:sum("age")) -- 2^63 - 1 - 2^63 + 8 + 30 - 5 + 40
            write(function() realm:object("Person", 2).any = { 3, 1.5, "x" } end)
            assert.equal(4.5, realm:object("Person", 2).any:sum())
            assert.equal(1.5, realm:object("Person", 2).any:min() + 0)
        end)

        it("is live, and right inside of a write", function()
            local thirty = people:where({ age = 30 })
            assert.equal(2, thirty:count())
            write(function()
                realm:object("Person", 1).age = 31
                assert.same({ "4" }, keys_of(thirty))
                assert.equal(1, thirty:count())
                realm:create("Person", { _id = 7, name = "New", age = 30 })
                assert.same({ "4", "7" }, keys_of(thirty))
                realm:delete(realm:object("Person", 4))
                assert.same({ "7" }, keys_of(thirty))
                assert.equal(7, thirty:first()._id)
                realm:object("Person", 3).age = 30
                assert.same({ "3", "7" }, keys_of(thirty))
            end)
            assert.same({ "3", "7" }, keys_of(thirty))
            assert.has_error(function()
                realm:write(function()
                    realm:object("Person", 3).age = 1
                    assert.equal(1, thirty:count())
                    error("back")
                end)
            end)
            assert.equal(2, thirty:count())
            write(function() realm:delete(thirty) end)
            assert.equal(0, thirty:count())
            assert.is_nil(thirty:first())
        end)

        it("deletes what it found", function()
            write(function() realm:delete(people:where({ age = { ">", 0 } })) end)
            assert.same({ "3", "5" }, keys_of(people))
        end)

        it("says what is wrong with a condition", function()
            local function refused(pattern, conditions)
                local ok, message = pcall(function() people:where(conditions) end)
                assert.is_false(ok)
                assert.truthy(tostring(message):find(pattern), tostring(message))
                assert.truthy(message:find("query_spec.lua:%d"), message) -- where the mistake is
            end
            refused("at least one condition", {})
            refused("at least one condition", { name = nil })
            refused("table of conditions", "name")
            refused("by the name", { "name" })
            refused("no test 'like'", { name = { "like", "x" } })
            refused("'in' takes a list", { age = { "in", 3 } })
            refused("no such property", { nose = 1 })
            refused("collection", { tags = "a" })
            refused("embedded", { home = null })
            refused("another type", { age = "x" })
            refused("expected", { name = { "contains", 5 } })
            refused("expected", { born = "x" })
            refused("no order", { awake = { "<", true } })
            refused("no order", { any = { "<", null } })
            refused("no order", { friend = { "<", syncline.link("Person", 1) } })
            refused("another type", { friend = syncline.link("Address", 1) })
            refused("strings and binaries", { any = { "contains", 1 } })
            refused("no order", { age = { "between", 1 } })
            assert.has_error(function() people:sorted("friend") end)
            assert.has_error(function() people:sorted("nose") end)
            assert.has_error(function() people:sorted("tags") end)
        end)
    end)
end

suite("a file", process.path)
suite("memory", function() return ":memory:" end)
