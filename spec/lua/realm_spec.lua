-- The Lua API of a local realm, without any sync.
local syncline = require("syncline")

local null = syncline.null

local SCHEMA = {
    {
        name = "Person", primary_key = "_id",
        properties = {
            { name = "_id", type = "int" },
            { name = "name", type = "string" },
            { name = "age", type = "int?" },
            { name = "score", type = "double", default = 1.5 },
            { name = "tags", type = "string[]" },
            { name = "numbers", type = "int?[]" },
            { name = "labels", type = "string<>" },
            { name = "attrs", type = "mixed{}" },
            { name = "friend", type = "Person" },
            { name = "friends", type = "Person[]" },
            { name = "home", type = "object", class = "Address" },
            { name = "places", type = "Address[]" },
            { name = "by_name", type = "Address{}" },
            { name = "any", type = "mixed" },
            { name = "anys", type = "mixed[]" },
        },
    },
    { name = "Address", embedded = true, properties = { street = "string", number = "int?", lines = "string[]" } },
    { name = "Note", properties = { text = "string" } },
    {
        name = "Types", primary_key = "_id",
        properties = {
            _id = "objectid", b = "bool", i = "int", f = "float", d = "double", s = "string", bin = "binary",
            t = "timestamp", dec = "decimal", o = "objectid", u = "uuid", m = "mixed",
        },
    },
}

describe("a realm", function()
    local realm

    before_each(function()
        realm = assert(syncline.open({ path = ":memory:", schema = SCHEMA }))
    end)

    after_each(function()
        realm:close()
    end)

    local function write(fn)
        return assert(realm:write(fn))
    end

    it("creates, finds, changes and deletes objects", function()
        write(function()
            local ada = realm:create("Person", { _id = 1, name = "Ada" })
            assert.equal("Ada", ada.name)
            assert.is_nil(ada.age)
            ada.age = 36
        end)
        local ada = realm:object("Person", 1)
        assert.equal(36, ada.age)
        assert.equal(1, ada._id)
        assert.equal("Person", ada:class())
        assert.equal("Person(1)", tostring(ada))
        assert.is_nil(realm:object("Person", 2))
        write(function() realm:delete(ada) end)
        assert.is_false(ada:is_valid())
        assert.equal(0, realm:objects("Person"):count())
        assert.has_error(function() return ada.name end)
    end)

    it("writes nothing outside a write and nothing twice at once", function()
        assert.has_error(function() realm:create("Person", { _id = 1, name = "x" }) end)
        write(function()
            assert.has_error(function() realm:write(function() end) end)
        end)
    end)

    it("rolls everything back when the function raises", function()
        write(function() realm:create("Person", { _id = 1, name = "Ada", tags = { "a" } }) end)
        local before = realm:state()
        assert.has_error(function()
            realm:write(function()
                realm:object("Person", 1).name = "Bob"
                realm:object("Person", 1).tags:insert("b")
                realm:create("Person", { _id = 2, name = "Eve" })
                error("stop")
            end)
        end)
        assert.equal(before, realm:state())
        local ok, message, code = realm:write(function()
            realm:create("Person", { _id = 2, name = "Eve" })
            realm:cancel()
        end)
        assert.is_nil(ok)
        assert.is_string(message)
        assert.equal("cancelled", code)
        assert.equal(before, realm:state())
    end)

    it("returns what the function returns", function()
        local ok, a, b = realm:write(function(r)
            assert.equal(realm, r)
            return 1, nil
        end)
        assert.is_true(ok)
        assert.equal(1, a)
        assert.is_nil(b)
    end)

    it("takes defaults for what is not given", function()
        write(function()
            assert.equal(1.5, realm:create("Person", { _id = 1, name = "x" }).score)
            assert.equal(2, realm:create("Person", { _id = 2, name = "x", score = 2 }).score)
        end)
    end)

    it("refuses a second object with the same key unless told how", function()
        write(function() realm:create("Person", { _id = 1, name = "Ada", age = 36, tags = { "a", "b" } }) end)
        assert.has_error(function()
            realm:write(function() realm:create("Person", { _id = 1, name = "Bob" }) end)
        end)
        write(function() realm:create("Person", { _id = 1, name = "Bob", tags = { "c" } }, "all") end)
        local person = realm:object("Person", 1)
        assert.equal("Bob", person.name)
        assert.equal(36, person.age)
        assert.same({ "c" }, { person.tags[1], person.tags[2] })
        local version = realm:info().version
        write(function() realm:create("Person", { _id = 1, name = "Bob", age = 36, tags = { "c" } }, "modified") end)
        assert.equal(version, realm:info().version)
    end)

    it("says what is wrong with a value", function()
        local function message_of(fn)
            local ok, message = pcall(realm.write, realm, fn)
            assert.is_false(ok)
            return tostring(message)
        end
        assert.matches("property 'age': int expected, got the string", message_of(function()
            realm:create("Person", { _id = 1, name = "x", age = "old" })
        end))
        assert.matches("has no property 'nmae'", message_of(function()
            realm:create("Person", { _id = 1, nmae = "x" })
        end))
        assert.matches("primary key '_id' is missing", message_of(function()
            realm:create("Person", { name = "x" })
        end))
        assert.matches("no class 'Persom'", message_of(function() realm:create("Persom", {}) end))
        assert.matches("is embedded", message_of(function() realm:create("Address", {}) end))
        assert.matches("cannot be changed", message_of(function()
            realm:create("Person", { _id = 1, name = "x" })._id = 2
        end))
        assert.matches("has no property 'nmae'", message_of(function()
            return realm:create("Person", { _id = 1, name = "x" }).nmae
        end))
    end)

    it("keeps every scalar type", function()
        local id, uuid = syncline.objectid(), syncline.uuid()
        local values = {
            _id = id, b = true, i = syncline.int64("9223372036854775807"), f = 0.5, d = 0.1, s = "t\195\164xt\0x",
            bin = "\0\255", t = syncline.timestamp(5, 6), dec = syncline.decimal("1.50"), o = id, u = uuid,
        }
        write(function() realm:create("Types", values) end)
        local object = realm:object("Types", id)
        for name, value in pairs(values) do assert.equal(value, object[name], name) end
        for _, value in ipairs({ true, 5, 0.25, "x", syncline.binary("\0x"), syncline.timestamp(1, 2),
            syncline.decimal("2.5"), syncline.objectid(), syncline.uuid(), syncline.float(1.5),
            syncline.int64("-9223372036854775808") }) do
            write(function() object.m = value end)
            assert.equal(value, object.m)
            assert.equal(syncline.typeof(value), syncline.typeof(object.m))
        end
        write(function() object.m = nil end)
        assert.is_nil(object.m)
    end)

    it("has lists like Lua's tables", function()
        local person
        write(function()
            person = realm:create("Person", { _id = 1, name = "x", tags = { "a", "b" }, numbers = { 1, null, 3 } })
            person.tags:insert("c")
            person.tags:insert(1, "z")
            person.tags[2] = "A"
            person.tags[5] = "end"
        end)
        assert.same({ "z", "A", "b", "c", "end" }, syncline.to_table(person.tags))
        assert.equal(5, person.tags:count())
        assert.equal(5, #person.tags)
        assert.equal(null, person.numbers[2])
        assert.is_nil(person.tags[6])
        assert.is_nil(person.tags[0])
        write(function()
            assert.equal("end", person.tags:remove())
            assert.equal("z", person.tags:remove(1))
            person.tags:move(1, 3)
            assert.same({ "b", "c", "A" }, syncline.to_table(person.tags))
            person.tags:swap(1, 3)
        end)
        assert.same({ "A", "c", "b" }, syncline.to_table(person.tags))
        local seen = {}
        for i, value in person.tags:each() do seen[i] = value end
        assert.same({ "A", "c", "b" }, seen)
        write(function() person.tags = { "new" } end)
        assert.same({ "new" }, syncline.to_table(person.tags))
        write(function() person.tags:clear() end)
        assert.equal(0, person.tags:count())
        assert.has_error(function() realm:write(function() person.tags[3] = "gap" end) end)
        assert.has_error(function() realm:write(function() person.tags:insert(5) end) end)
    end)

    it("keeps a number that an equal one is written over, as SDKs do", function()
        local function positive(zero) return zero == 0 and 1 / zero > 0 end
        local person, types
        write(function()
            person = realm:create("Person", { _id = 1, name = "x", score = 0.0, any = 0.0, anys = { 0.0 } })
            person.attrs = { zero = 0.0, price = syncline.decimal("1.0") }
            person.score, person.any, person.anys[1], person.attrs.zero = -0.0, -0.0, -0.0, -0.0
            person.attrs.price = syncline.decimal("1.00")
            types = realm:create("Types", { _id = syncline.objectid(), f = 0.0, dec = syncline.decimal("1.0") })
            types.f, types.dec = -0.0, syncline.decimal("1.00")
        end)
        assert.is_true(positive(person.score))
        assert.is_true(positive(person.any))
        assert.is_true(positive(types.f))
        assert.is_true(positive(person.anys[1]))
        assert.is_true(positive(person.attrs.zero))
        assert.equal("1.0", tostring(person.attrs.price))
        assert.equal("1.00", tostring(types.dec)) -- a property of decimals is written always
        write(function() person.any = 0 end)
        assert.equal("int", syncline.typeof(person.any))
    end)

    it("has sets", function()
        local person
        write(function()
            person = realm:create("Person", { _id = 1, name = "x", labels = { "a", "b", "a" } })
            assert.is_false(person.labels:add("a"))
            assert.is_true(person.labels:add("c"))
            assert.is_true(person.labels:remove("b"))
            assert.is_false(person.labels:remove("b"))
        end)
        assert.equal(2, person.labels:count())
        assert.is_true(person.labels:has("a"))
        assert.is_false(person.labels:has("b"))
        local seen = {}
        for _, value in person.labels:each() do seen[#seen + 1] = value end
        table.sort(seen)
        assert.same({ "a", "c" }, seen)
    end)

    it("has dictionaries, with any key by get and set", function()
        local person
        write(function()
            person = realm:create("Person", { _id = 1, name = "x", attrs = { colour = "red", size = 5 } })
            person.attrs.weight = 1.5
            person.attrs:set("get", "a key like a method")
            person.attrs.none = null
        end)
        local attrs = person.attrs
        assert.equal("red", attrs.colour)
        assert.equal("a key like a method", attrs:get("get"))
        assert.equal(null, attrs.none)
        assert.is_nil(attrs.missing)
        assert.equal(5, attrs:count())
        write(function()
            attrs.colour = nil
            assert.is_true(attrs:remove("size"))
            assert.is_false(attrs:remove("size"))
        end)
        local keys = {}
        for key in attrs:each() do keys[#keys + 1] = key end
        assert.same({ "get", "none", "weight" }, keys)
    end)

    it("links objects and follows the links", function()
        write(function()
            local ada = realm:create("Person", { _id = 1, name = "Ada" })
            local bob = realm:create("Person", { _id = 2, name = "Bob", friend = ada, friends = { ada } })
            bob.friends:insert({ _id = 3, name = "Eve" })
            bob.any = ada
        end)
        local bob = realm:object("Person", 2)
        assert.equal("Ada", bob.friend.name)
        assert.equal(realm:object("Person", 1), bob.friend)
        assert.equal("Eve", bob.friends[2].name)
        assert.equal("Ada", bob.any.name)
        local who = bob.friend:linking_objects("Person", "friends")
        assert.equal(1, #who)
        assert.equal(bob, who[1])
        write(function() realm:delete(realm:object("Person", 1)) end)
        assert.is_nil(bob.friend)
        assert.is_nil(bob.any)
        assert.equal(1, bob.friends:count())
    end)

    it("embeds objects", function()
        local person
        write(function()
            person = realm:create("Person", { _id = 1, name = "x", home = { street = "Main", number = 5, lines = { "a" } },
                places = { { street = "One" }, { street = "Two" } }, by_name = { work = { street = "Office" } } })
        end)
        assert.equal("Main", person.home.street)
        assert.equal("a", person.home.lines[1])
        assert.equal("Two", person.places[2].street)
        assert.equal("Office", person.by_name.work.street)
        assert.is_true(person.home:is_embedded())
        write(function()
            person.home.number = 6
            person.home.lines:insert("b")
            person.places[1].street = "First"
            person.places:insert({ street = "Three", number = 3 })
            person.places[2] = { street = "Second" }
            person.by_name.work = { street = "Desk" }
            person.by_name.play = { street = "Park" }
        end)
        assert.equal(6, person.home.number)
        assert.equal("b", person.home.lines[2])
        assert.equal("First", person.places[1].street)
        assert.equal("Second", person.places[2].street)
        assert.equal(3, person.places[3].number)
        assert.equal("Desk", person.by_name.work.street)
        assert.equal("Park", person.by_name.play.street)
        local home = person.home
        write(function() person.home = nil end)
        assert.is_nil(person.home)
        assert.is_false(home:is_valid())
        assert.has_error(function() realm:write(function() person.places:insert(null) end) end)
    end)

    it("nests collections in mixed values", function()
        local person
        write(function()
            person = realm:create("Person", { _id = 1, name = "x", any = { 1, { a = { "deep", 2.5 } }, "z" } })
            person.anys:insert({ k = "v" })
            person.anys:insert(syncline.list())
            person.attrs.list = { 1, 2 }
        end)
        assert.equal("deep", person.any[2].a[1])
        assert.equal(2.5, person.any[2].a[2])
        assert.equal("v", person.anys[1].k)
        assert.equal(0, person.anys[2]:count())
        assert.equal(2, person.attrs.list[2])
        write(function()
            person.any[2].a:insert(1, "new")
            person.any[3] = { x = 1 }
            person.any[2].a[2] = syncline.dictionary()
        end)
        assert.same({ 1, { a = { "new", {}, 2.5 } }, { x = 1 } }, syncline.to_table(person.any))
    end)

    it("counts up", function()
        local person
        write(function()
            person = realm:create("Person", { _id = 1, name = "x", age = 5 })
            person:increment("age")
            person:increment("age", -10)
        end)
        assert.equal(-4, person.age)
        assert.has_error(function() realm:write(function()
            person.age = nil
            person:increment("age")
        end) end)
    end)

    it("keeps objects of classes without a key", function()
        local note
        write(function()
            note = realm:create("Note", { text = "one" })
            realm:create("Note", { text = "two" })
        end)
        assert.equal("one", note.text)
        assert.equal(2, realm:objects("Note"):count())
        assert.equal(note, realm:object("Note", note:key()))
    end)

    it("gives results that are counted, filtered, sorted and walked", function()
        write(function()
            for i = 1, 10 do realm:create("Person", { _id = i, name = "p" .. (11 - i), age = i % 3 }) end
            realm:object("Person", 5).age = nil
        end)
        local people = realm:objects("Person")
        assert.equal(10, people:count())
        assert.equal(1, people[1]._id)
        assert.equal(10, people:last()._id)
        assert.equal(3, people:filter(function(p) return p.age == 0 end):count())
        local by_age = people:sorted("age", true)
        assert.equal(2, by_age[1]._id)
        assert.is_nil(by_age:last().age)
        assert.equal("p1", people:sorted("name"):first().name)
        assert.equal(7, people:find(function(p) return p.name == "p4" end)._id)
        local count = 0
        write(function()
            for person in people:each() do
                realm:delete(person)
                count = count + 1
            end
        end)
        assert.equal(10, count)
        assert.equal(0, people:count())
        assert.is_nil(people:first())
    end)

    it("tells observers of the realm, of objects and of collections what a commit touched", function()
        local seen, objects, lists = {}, {}, 0
        local observer = realm:observe(function(_, changes) seen[#seen + 1] = changes.Person or {} end)
        local person
        write(function()
            person = realm:create("Person", { _id = 1, name = "x" })
            realm:create("Person", { _id = 2, name = "y" })
        end)
        assert.equal(2, #seen[1].inserted)
        person:observe(function(_, change) objects[#objects + 1] = change end)
        person.tags:observe(function() lists = lists + 1 end)
        write(function()
            person.name = "z"
            realm:delete(realm:object("Person", 2))
        end)
        assert.equal(1, seen[2].modified[1].key)
        assert.equal(2, seen[2].deleted[1])
        assert.same({ "name" }, objects[1].properties)
        assert.equal(0, lists)
        write(function() person.tags:insert("t") end)
        assert.equal(1, lists)
        write(function() realm:create("Note", {}) end)
        assert.equal(4, #seen)
        observer:stop()
        write(function() realm:delete(person) end)
        assert.equal(4, #seen)
        assert.is_true(objects[3].deleted)
    end)

    it("keeps an error of an observer to itself", function()
        local reported
        realm.on_observer_error = function(message) reported = message end
        realm:observe(function() error("oops") end)
        write(function() realm:create("Note", {}) end)
        assert.matches("oops", reported)
    end)

    it("takes further classes while it is open", function()
        assert(realm:update_schema({ { name = "Extra", primary_key = "k", properties = { k = "string", n = "int" } } }))
        write(function() realm:create("Extra", { k = "a" }) end)
        assert.equal(0, realm:object("Extra", "a").n)
        assert.has_error(function()
            realm:update_schema({ { name = "Extra", primary_key = "k", properties = { k = "string", n = "string" } } })
        end)
    end)

    it("closes once and for all", function()
        local person
        write(function() person = realm:create("Person", { _id = 1, name = "x" }) end)
        assert.is_false(realm:is_closed())
        realm:close()
        realm:close()
        assert.is_true(realm:is_closed())
        assert.is_false(person:is_valid())
        assert.has_error(function() return person.name end)
        assert.has_error(function() realm:write(function() end) end)
    end)

    it("survives the collection of everything that points into it", function()
        write(function()
            for i = 1, 200 do realm:create("Person", { _id = i, name = "x", tags = { "a" }, home = { street = "s" } }) end
        end)
        for _ = 1, 5 do
            for person in realm:objects("Person"):each() do
                assert.equal("a", person.tags[1])
                assert.equal("s", person.home.street)
            end
            collectgarbage()
        end
        local tags = realm:object("Person", 7).tags
        realm = nil -- luacheck: ignore
        collectgarbage()
        assert.equal("a", tags[1])
        realm = tags:anchor().realm
    end)
end)

describe("a schema", function()
    local function message_of(classes)
        local ok, message = pcall(syncline.open, { path = ":memory:", schema = classes })
        assert.is_false(ok)
        return tostring(message)
    end

    it("is refused with the place and the reason", function()
        assert.matches("no type or class 'Persn'", message_of({ { name = "A", properties = { x = "Persn[]" } } }))
        assert.matches("'int%?%?' is no type", message_of({ { name = "A", properties = { x = "int??" } } }))
        assert.matches("primary key 'id' is not among", message_of({
            { name = "A", primary_key = "id", properties = { x = "int" } } }))
        assert.matches("must be an int, string", message_of({
            { name = "A", primary_key = "x", properties = { x = "double" } } }))
        assert.matches("A is there twice", message_of({ { name = "A", properties = {} }, { name = "A", properties = {} } }))
        assert.matches("unknown field 'colour'", message_of({ { name = "A", colour = 1, properties = {} } }))
        assert.matches("'properties' is missing", message_of({ { name = "A" } }))
        assert.matches("at most 57 bytes", message_of({ { name = ("x"):rep(58), properties = {} } }))
        assert.matches("no sets of embedded", message_of({
            { name = "A", properties = { e = "E<>" } }, { name = "E", embedded = true, properties = { x = "int" } } }))
        assert.matches("embedded classes have no primary key", message_of({
            { name = "E", embedded = true, primary_key = "x", properties = { x = "int" } } }))
        assert.matches("list of classes expected", message_of({ A = { properties = {} } }))
    end)

    it("reads back as it was declared", function()
        local realm = assert(syncline.open({ path = ":memory:", schema = SCHEMA }))
        local by_name = {}
        for _, class in ipairs(realm:schema()) do by_name[class.name] = class end
        assert.equal("int", by_name.Person.key.type)
        assert.equal("embedded", by_name.Address.kind)
        assert.is_nil(by_name.Note.key)
        local expected = {
            tags = { "string", "list", false }, numbers = { "int", "list", true }, labels = { "string", "set", false },
            attrs = { "mixed", "dictionary", true }, friend = { "link", "single", true }, friends = { "link", "list", false },
        }
        for _, property in ipairs(by_name.Person.properties) do
            local want = expected[property.name]
            if want then assert.same(want, { property.type, property.collection, property.nullable }) end
        end
        realm:close()
    end)
end)

describe("opening", function()
    it("refuses malformed options and reports what cannot be opened", function()
        assert.has_error(function() syncline.open(5) end)
        assert.has_error(function() syncline.open({ path = 5 }) end)
        assert.has_error(function() syncline.open({ path = "" }) end)
        local realm, message, code = syncline.open({ path = "/nonexistent/directory/x.realm" })
        assert.is_nil(realm)
        assert.is_string(message)
        assert.is_not_nil(code)
    end)
end)
