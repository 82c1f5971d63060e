local core = require("syncline.core")
local changeset = core.changeset

local function unhex(hex)
    return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- Create Member "k01", set its age to 42.
local BYTES = unhex("3f00064d656d6265723f01036b303102000301" .. "3f020361676504000301020001" .. "2a00")

describe("changeset.parse", function()
    it("gives the instructions in the shape of the text form", function()
        local instructions = assert(changeset.parse(BYTES))
        assert.same({
            { op = "CreateObject", table = "Member", object = { string = "k01" } },
            { op = "Update", table = "Member", object = { string = "k01" }, field = "age", path = {},
                value = { int = 42 }, default = false },
        }, instructions)
    end)

    it("shows interned strings when asked", function()
        local raw = assert(changeset.parse(BYTES, { raw = true }))
        assert.equal(5, #raw)
        assert.same({ op = "InternString", index = 2, string = "age" }, raw[4])
    end)

    it("takes zero bytes for a changeset without instructions", function()
        assert.same({}, changeset.parse(""))
    end)

    it("reports malformed bytes with an id", function()
        local result, message, code = changeset.parse("\14")
        assert.is_nil(result)
        assert.is_string(message)
        assert.equal("P-OP", code)
    end)

    it("raises for what is no string", function()
        assert.has_error(function() changeset.parse({}) end)
        assert.has_error(function() changeset.parse(5) end)
    end)
end)

describe("changeset.encode", function()
    it("is the inverse of parse", function()
        assert.equal(BYTES, changeset.encode(changeset.parse(BYTES)))
        assert.equal(BYTES, changeset.encode(changeset.parse(BYTES, { raw = true })))
        local upfront = changeset.encode(changeset.parse(BYTES), { upfront = true })
        assert.same(changeset.parse(BYTES), changeset.parse(upfront))
        assert.equal(#BYTES, #upfront)
    end)

    it("loses no value of any type", function()
        local function update(value)
            return { op = "Update", table = "A", object = { globalkey = { hi = 1, lo = "18446744073709551615" } },
                field = "f", path = { "k", "l" }, value = value, default = true }
        end
        local values = {
            core.null, { int = "-9223372036854775808" }, { int = "9223372036854775807" }, { int = 5 }, { bool = true },
            { string = "" }, { string = "\255\0" }, { string = "e\204\129\0" }, { binary = "AAE=" },
            { timestamp = { s = -1, ns = -5 } }, { float = 0.5 }, { float = "nan:7fc000aa" }, { double = 0.1 },
            { double = 1 / 0 }, { double = -1 / 0 }, { double = "nan:fff8000000000001" }, { decimal = "150E-2" },
            { link = { table = "B", object = core.null } }, { objectid = "0123456789abcdef01234567" },
            { uuid = "00112233-4455-6677-8899-aabbccddeeff" }, { new = "list" }, { erased = true },
        }
        for _, value in ipairs(values) do
            local bytes = changeset.encode({ update(value) })
            assert.equal(bytes, changeset.encode(changeset.parse(bytes)))
            assert.equal(bytes, changeset.from_json(changeset.print(bytes)))
        end
    end)

    it("raises for what is no changeset", function()
        local function raises(instructions, what)
            local ok, message = pcall(changeset.encode, instructions)
            assert.is_false(ok)
            assert.matches(what, message)
        end
        raises({ {} }, "expected an object")
        raises({ { op = "Nothing", table = "A" } }, "no such kind of instruction")
        raises({ { op = "EraseTable" } }, "\"table\" is missing")
        raises({ { op = "EraseTable", table = "A", more = 1 } }, "unknown member")
        raises({ { op = "EraseTable", table = print } }, "cannot hold a function")
        local loop = {}
        loop[1] = loop
        raises(loop, "nested too deeply")
    end)
end)

describe("changeset.from_json", function()
    it("reports malformed text", function()
        local result, message, code = changeset.from_json("[{]")
        assert.is_nil(result)
        assert.is_string(message)
        assert.equal("usage", code)
    end)
end)

describe("changeset.print", function()
    it("prints the text form", function()
        assert.equal('[\n{"op":"CreateObject","table":"Member","object":{"string":"k01"}},\n' ..
            '{"op":"Update","table":"Member","object":{"string":"k01"},"field":"age","path":[],' ..
            '"value":{"int":"42"},"default":false}\n]\n', changeset.print(BYTES))
        assert.matches('^%[\n{"op":"InternString","index":0,"string":"Member"},\n',
            (changeset.print(BYTES, { raw = true })))
    end)

    it("prints lines for people", function()
        assert.equal('CreateObject Member["k01"]\nUpdate       Member["k01"].age = 42\n',
            changeset.print(BYTES, { format = "text" }))
        assert.matches('^InternString 0 "Member"\n', (changeset.print(BYTES, { format = "text", raw = true })))
    end)

    it("raises for an unknown format", function()
        assert.has_error(function() changeset.print(BYTES, { format = "xml" }) end)
    end)
end)
