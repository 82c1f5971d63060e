-- Import of what databases without schema and references hold, and export of everything that a realm can hold.
local exchange = require("syncline.exchange")
local process = require("support.process")
local reader = require("syncline.exchange.reader")
local syncline = require("syncline")

describe("syncline import", function()
    local folder

    before_each(function() folder = process.folder() end)
    after_each(function() process.remove_folder(folder) end)

    local function write(name, text) process.write_file(folder .. "/" .. name, text) end

    -- '@' stands for the folder.
    local function run(arguments, input)
        local status, out, message = process.syncline((arguments:gsub("@", folder .. "/")), input)
        return status, (message:gsub(folder:gsub("%p", "%%%0") .. "/", "")), out
    end

    local function export(class)
        local status, message, out = run("export --path @a.realm --class " .. class)
        assert.equal(0, status, message)
        return out
    end

    local SCHEMA = [[return {
        { name = "Person", primary_key = "_id", properties = { _id = "int", name = "string", boss = "Person", best = "Task" } },
        { name = "Task", primary_key = "_id", properties = { _id = "int", owner = "Person", helpers = "Person[]", set = "Person<>",
            by_name = "Person{}", place = "Place", places = "Place[]", any = "mixed" } },
        { name = "Place", embedded = true, properties = { room = "string", keeper = "Person" } },
    }]]
    local PEOPLE = '{"_id":1,"name":"Ann","boss":2,"best":10}\n{"_id":2,"name":"Bob"}\n'

    it("takes classes that link to each other in one run, in any order", function()
        write("schema.lua", SCHEMA)
        write("people", PEOPLE)
        write("tasks", '{"_id":10,"owner":1,"helpers":[2,1],"set":[1],"by_name":{"a":2},"place":{"room":"A","keeper":2},'
            .. '"places":[{"room":"B","keeper":1}],"any":[{"$link":{"class":"Person","key":2}}]}\n')
        local first
        for _, order in ipairs({ "--class Person @people --class Task @tasks", "--class Task @tasks --class Person @people" }) do
            local status, message = run("import --path @a.realm --strict --schema @schema.lua " .. order)
            assert.equal(0, status, message)
            assert.not_matches("warning", message)
            local out = export("Person") .. export("Task")
            assert.equal(10, select(2, out:gsub("%$link", "")))
            first = first or out
            assert.equal(first, out)
            process.run("rm " .. folder .. "/a.realm*")
        end
    end)

    it("leaves out links that lead nowhere, keeps the others, and says where", function()
        write("schema.lua", SCHEMA)
        write("people", '{"_id":1,"name":"Ann"}\n')
        write("tasks", '{"_id":10,"owner":1,"helpers":[1]}\n'
            .. '{"_id":11,"owner":99,"helpers":[98,1,97,null],"set":[1,96],"by_name":{"a":1,"b":95},"place":{"room":"A","keeper":94},'
            .. '"places":[{"room":"B","keeper":1},{"room":"C","keeper":93}],"any":{"a":[{"$link":{"class":"Person","key":92}},1],'
            .. '"b":{"$link":{"class":"Person","key":1}},"c":{"$link":{"class":"Gone","key":1}}}}\n')
        local arguments = "import --path @a.realm --schema @schema.lua --class Person @people --class Task @tasks"
        local status, message = run(arguments)
        assert.equal(0, status, message)
        for name, key in pairs({ owner = 99, helpers = 98, set = 96, by_name = 95, any = 92, ["place.keeper"] = 94,
            ["places.keeper"] = 93 }) do
            local line = ("warning: tasks: line 2 (11): '%s' links to Person %d, which does not exist: left out\n"):format(name, key)
            assert.truthy(message:find(line, 1, true), line .. message)
        end
        assert.truthy(message:find("'helpers' has a null: left out", 1, true))
        assert.truthy(message:find("1 objects imported into Person\n2 objects imported into Task\n"
            .. "10 warnings: 10 links were left out, 0 required members were missing\n", 1, true), message)
        local one = '{"$link":{"class":"Person","key":{"$numberLong":"1"}}}'
        assert.equal(('{"_id":10,"by_name":{},"helpers":[L],"owner":L,"places":[],"set":[]}\n'
            .. '{"_id":11,"any":{"a":[null,1],"b":L,"c":null},"by_name":{"a":L,"b":null},"helpers":[L],"place":{"room":"A"},'
            .. '"places":[{"keeper":L,"room":"B"},{"room":"C"}],"set":[L]}\n'):gsub("L", one), export("Task"))
        assert.equal(1, (run(arguments .. " --update modified --strict")))
    end)

    it("says which required members were missing, also in embedded objects and columns", function()
        write("schema.lua", SCHEMA)
        write("tasks", '{"_id":10,"place":{},"places":[{"room":null}]}\n')
        write("people.csv", "_id,name\n1,\n2,\"\"\n3,Ann\n")
        local status, message = run("import --path @a.realm --schema @schema.lua --class Person @people.csv --class Task @tasks")
        assert.equal(0, status, message)
        assert.equal("warning: people.csv: record 2 (1): 'name' is required and missing: it is empty now\n"
            .. "warning: tasks: line 1 (10): 'place.room' is required and missing: it is empty now\n"
            .. "warning: tasks: line 1 (10): 'places.room' is required and null: it is empty now\n"
            .. "3 objects imported into Person\n1 objects imported into Task\n"
            .. "3 warnings: 0 links were left out, 3 required members were missing\n", message)
        -- What is there already keeps the members that an update does not mention.
        write("people", '{"_id":3,"boss":1}\n')
        status, message = run("import --path @a.realm --strict --update all --class Person @people")
        assert.equal(0, status, message)
        assert.matches('"_id":3,"boss":{[^\n]*"name":"Ann"', export("Person"))
    end)

    it("ends with what does not fit at all, and says where", function()
        write("schema.lua", SCHEMA)
        local function fails(expected, text)
            local status, message = run("import --path @a.realm --schema @schema.lua --class Person -", text)
            assert.equal(1, status)
            assert.equal("syncline: " .. expected .. " (0 objects were imported before)\n", message)
        end
        fails("-: line 1: 'boss' links to Person: int expected, got the string \"x\"", '{"_id":1,"name":"a","boss":"x"}')
        fails("-: line 1: a document, like {...}, expected", "[]")
        fails("-: line 1: Person: the primary key '_id' is missing among the values", '{"name":"a"}')
        local status, message = run("import --path @a.realm --schema @schema.lua --class Person --class Task -", "")
        assert.equal(2, status)
        assert.matches("a file for each %-%-class expected", message)
    end)

    local EVERYTHING = {
        { name = "Thing", primary_key = "_id", properties = {
            _id = "uuid", i = "int", b = "bool?", s = "string?", data = "binary?", t = "timestamp?", f = "float?", d = "double?",
            dec = "decimal?", oid = "objectid?", u = "uuid?", any = "mixed", link = "Thing", e = "Part", i_list = "int?[]",
            s_set = "string<>", f_dict = "float?{}", data_list = "binary[]", t_set = "timestamp<>", any_list = "mixed[]",
            any_dict = "mixed{}", any_set = "mixed<>", links = "Thing[]", link_set = "Thing<>", link_dict = "Thing{}",
            parts = "Part[]", part_dict = "Part{}",
        } },
        { name = "Part", embedded = true, properties = { name = "string", data = "binary?", f = "float", to = "Thing", any = "mixed",
            more = "Part", list = "double[]" } },
    }

    local function fill(realm)
        local ids = {}
        for i = 1, 3 do ids[i] = syncline.uuid(("0000000%d-0000-4000-8000-000000000000"):format(i)) end
        realm:create("Thing", { _id = ids[3], i = 3 })
        local c = realm:object("Thing", ids[3])
        local function part(to)
            return { name = "p \"\n,", data = "\0\255", f = 0.1, to = to, any = { 1, { to } }, list = { 1, 0.5 },
                more = { name = "", f = -0.0, to = to } }
        end
        for i = 1, 2 do
            realm:create("Thing", {
                _id = ids[i], i = syncline.int64("-9223372036854775808"), b = i == 1, s = i == 1 and "" or "ä,\"\n ", data = "\0x",
                t = syncline.timestamp("2024-01-31T12:00:00.123456789Z"), f = 1.5, d = 1 / 3, dec = syncline.decimal("1.500"),
                oid = syncline.objectid("65a1b2c3d4e5f60718293a4b"), u = ids[2], link = c, e = part(c),
                any = { { syncline.float(0.1), syncline.binary("\1"), c }, syncline.dictionary({ ["a b"] = { c, syncline.null } }) },
                i_list = { 1, syncline.null, 2 }, s_set = { "b", "a" }, f_dict = { x = 0.25, y = syncline.null }, data_list = { "\0", "" },
                t_set = { syncline.timestamp(5) }, any_list = { c, "x", syncline.list({}), syncline.dictionary({}), 2.0 },
                any_dict = { a = c, b = { deep = { { c } } } }, any_set = { 1, "1", c }, links = { c, c }, link_set = { c },
                link_dict = { a = c, b = syncline.null }, parts = { part(c), part() }, part_dict = { a = part(c), b = syncline.null },
            })
        end
        local a, b = realm:object("Thing", ids[1]), realm:object("Thing", ids[2])
        a.link, b.link, a.any_dict.a, a.parts[2].to = b, a, b, b
    end

    it("reads every type again from every format, as it was", function()
        local realm = assert(syncline.open({ path = ":memory:", schema = EVERYTHING }))
        assert(realm:write(function() fill(realm) end))
        local function text_of(from, format)
            local file = assert(io.open(folder .. "/out", "wb"))
            exchange.export(from:objects("Thing"), file, format)
            file:close()
            return process.read_file(folder .. "/out")
        end
        for format in pairs(exchange.FORMATS) do
            text_of(realm, format)
            local copy = assert(syncline.open({ path = ":memory:", schema = EVERYTHING }))
            local file = assert(io.open(folder .. "/out", "rb"))
            local warned = {}
            local count, report = exchange.import(copy, "Thing", exchange.documents(file, format, copy:present_classes().Thing),
                { warn = function(text) warned[#warned + 1] = text end })
            file:close()
            assert.same({}, warned)
            assert.equal(3, count, report)
            assert.equal(text_of(realm, "ejson"), text_of(copy, "ejson"))
            copy:close()
        end
        realm:close()
    end)

    -- The documents of texts, as the reader gives them, and the sizes of the transactions they come into.
    local function transactions(texts, options)
        local realm = assert(syncline.open({ path = ":memory:", schema = {
            { name = "Photo", primary_key = "_id", properties = { _id = "int", data = "binary?", numbers = "int[]", next = "Photo",
                all = "Photo[]" } },
        } }))
        local sizes, plain = {}, realm.write
        function realm.write(self, work)
            return plain(self, function()
                work()
                sizes[#sizes + 1] = self:recorded_bytes()
            end)
        end
        local at = 0
        local file = { read = function()
            at = at + 1
            return texts[at]
        end }
        assert(exchange.import(realm, "Photo", reader.documents(file, "jsonl"), options))
        local count, bytes = realm:objects("Photo"):count(), realm:info().uploadable_bytes
        realm:close()
        return sizes, count, bytes
    end

    it("ends a transaction before it is too large to be sent", function()
        local photo = ("{\"$binary\":{\"base64\":\"%s\",\"subType\":\"00\"}}"):format(("A"):rep(26668))
        local texts = {}
        for i = 1, 1200 do texts[i] = ('{"_id":%d,"data":%s}'):format(i, photo) end
        local sizes, count, bytes = transactions(texts)
        assert.equal(1200, count)
        assert.is_true(bytes > 24000000)
        assert.is_true(#sizes > 20 and #sizes < 30)
        for _, size in ipairs(sizes) do assert.is_true(size < 1.1 * 1024 * 1024, size) end
        -- As many as one wants, as long as they are small.
        sizes = transactions({ '{"_id":1}', '{"_id":2}', '{"_id":3}' }, { batch = 2 })
        assert.equal(2, #sizes)
    end)

    it("gives large documents and many links transactions of their own", function()
        local texts = { ('{"_id":0,"data":{"$binary":{"base64":"%s","subType":"00"}}}'):format(("A"):rep(1000000)) }
        for i = 1, 2 do texts[#texts + 1] = ('{"_id":%d,"numbers":[1%s]}'):format(i, (",1"):rep(30000)) end
        for i = 31, 32 do texts[#texts + 1] = ('{"_id":%d,"all":[99%s]}'):format(i, (",99"):rep(5000)) end
        texts[#texts + 1] = '{"_id":99}'
        local sizes, count = transactions(texts)
        assert.equal(6, count)
        for _, size in ipairs(sizes) do assert.is_true(size < 6 * 1024 * 1024, size) end
    end)

    it("reads documents from pieces of any size, and large ones in few", function()
        local text = ' [ {"_id":1,"a":"} ] \\" \\\\"} ,\n{"_id":2,"b":[{"c":"["}]},{"_id":3,"d":"\\\\"}\n]  '
        for piece = 1, #text do
            local at, seen = 1, {}
            local file = { read = function()
                local out = text:sub(at, at + piece - 1)
                at = at + piece
                return out ~= "" and out or nil
            end }
            for document, where in reader.documents(file, "ejson") do
                assert.is_table(document, where)
                seen[#seen + 1] = document
            end
            assert.equal(3, #seen)
            assert.equal('} ] " \\', seen[1].a)
            assert.equal("\\", seen[3].d)
        end
        local large, reads, at = '{"_id":1,"a":"' .. ("x"):rep(8 * 1024 * 1024) .. '"}', 0, 1
        local file = { read = function(_, size)
            reads = reads + 1
            local out = large:sub(at, at + size - 1)
            at = at + size
            return out ~= "" and out or nil
        end }
        assert.equal(8 * 1024 * 1024, #reader.documents(file, "ejson")().a)
        assert.is_true(reads < 12, reads)
    end)
end)
