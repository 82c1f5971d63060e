-- Changesets of a hostile writer for the schema of schema.mjs, from a seed: odd values, names, keys and
-- changes of the schema. Collections in mixed properties are left out: a realm with them is closed to the build
-- of Realm JS that is tested. Prints one per line, in Base64. Arguments: seed, number of changesets.
local auth = require("syncline.auth")
local changeset = require("syncline.changeset")
local syncline = require("syncline")

local null = syncline.null
local state = tonumber(arg[1]) % 2147483647

-- The same numbers with every Lua (Park and Miller).
local function random(n)
    state = state * 16807 % 2147483647
    return state % n + 1
end

local function one(list) return list[random(#list)] end

local TEXTS = { "", "\0", "a\0b", "\xff\xfe", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3", ("x"):rep(5000), "\u{10ffff}",
    "__proto__", "constructor", "toString", "$set", "a.b", "\u{202e}txt", "\n", "%s%n", " " }
local NUMBERS = { "9223372036854775807", "-9223372036854775808", "0", "-1", "9007199254740993" }
local DOUBLES = { 1 / 0, -1 / 0, 0 / 0, -0.0, 5e-324, 1.7976931348623157e308 }
local DECIMALS = { "1E6111", "1E-6176", "-0E3", "9999999999999999999999999999999999E6111", "15E-1" }
local TIMES = { { "9223372036854775807", 999999999 }, { "-9223372036854775808", -999999999 }, { "0", 0 }, { "253402300800", 1 },
    { "-62135596801", -1 }, { "8640000000001", 0 } }
local FIELDS = { "b", "i", "f", "d", "s", "bin", "dt", "dec", "oid", "u", "m", "ints", "strings", "set", "numbers", "dict", "link",
    "links", "address", "addresses" }

local function value()
    local time = one(TIMES)
    return one({
        { int = one(NUMBERS) }, { string = one(TEXTS) }, { double = one(DOUBLES) }, { float = one(DOUBLES) },
        { decimal = one(DECIMALS) }, { timestamp = { s = time[1], ns = time[2] } },
        { binary = auth.base64_encode(one(TEXTS)) }, { bool = true },
        { objectid = ("f"):rep(24) }, { uuid = "ffffffff-ffff-ffff-ffff-ffffffffffff" }, null, { new = "object" },
        { link = { table = "Tag", object = { string = one(TEXTS) } } },
        { link = { table = "Everything", object = { objectid = ("0"):rep(24) } } },
    })
end

local function path()
    local steps = {}
    for i = 1, random(4) - 1 do steps[i] = random(2) == 1 and random(3) - 1 or one(TEXTS) end
    return steps
end

local KEY = { objectid = ("0"):rep(24) }

local function schema_change()
    local name, field = one({ "Everything", "Tag", "Address", "New", one(TEXTS) }), one({ "s", "extra", one(TEXTS) })
    return one({
        { op = "EraseTable", table = name }, { op = "EraseColumn", table = name, field = field },
        { op = "AddTable", table = name, kind = one({ "toplevel", "asymmetric" }),
            pk = { field = one({ "_id", one(TEXTS) }), type = one({ "string", "int", "objectid" }), nullable = random(2) == 1 } },
        { op = "AddTable", table = name, kind = "embedded" },
        { op = "AddColumn", table = name, field = field, type = one({ "int", "string", "mixed", "double", "uuid" }),
            nullable = random(2) == 1, collection = one({ "single", "list", "set" }) },
    })
end

local function data_change()
    local field = one(FIELDS)
    return one({
        { op = "Update", table = "Everything", object = KEY, field = field, path = path(), value = value(), default = false },
        { op = "Update", table = "Everything", object = KEY, field = field, path = {}, value = value(), default = false },
        { op = "Update", table = "Everything", object = KEY, field = "dict", path = { one(TEXTS) }, value = { string = one(TEXTS) },
            default = false },
        { op = "ArrayInsert", table = "Everything", object = KEY, field = one({ "ints", "strings", "links", "addresses", "m" }),
            path = { 0 }, value = value(), prior_size = 0 },
        { op = "SetInsert", table = "Everything", object = KEY, field = one({ "set", "numbers" }), path = {}, value = value() },
        { op = "AddInteger", table = "Everything", object = KEY, field = "i", path = {}, value = one(NUMBERS) },
        { op = "CreateObject", table = "Tag", object = { string = one(TEXTS) } },
        { op = "EraseObject", table = one({ "Tag", "Everything" }), object = one({ { string = one(TEXTS) }, KEY }) },
        { op = "Clear", table = "Everything", object = KEY, field = field == "m" and "ints" or field, path = {},
            collection = "list" },
    })
end

local function instructions()
    local list = { { op = "CreateObject", table = "Everything", object = KEY } }
    for _ = 1, random(3) do
        list[#list + 1] = random(5) == 1 and schema_change() or data_change()
    end
    return list
end

-- Some combinations have no form; they are left out.
local made, wrong = 0, 0
while made < tonumber(arg[2]) do
    local ok, bytes = pcall(changeset.encode, instructions())
    if ok then
        made = made + 1
        print(auth.base64_encode(bytes))
    else
        wrong = wrong + 1
        assert(wrong < 100 * (made + 10), bytes)
    end
end
