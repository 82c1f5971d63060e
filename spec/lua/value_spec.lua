-- Values between Lua and the core: one rule for every Lua version.
local core = require("syncline.core")

local doubles_only = math.type == nil

describe("64-bit integers", function()
    local cases = { "0", "1", "-1", "9007199254740992", "9007199254740993", "-9007199254740993",
        "9223372036854775807", "-9223372036854775808" }

    it("keep every bit as text, object and number", function()
        for _, text in ipairs(cases) do
            local value = core.int64(text)
            assert.equal(text, type(value) == "number" and string.format("%.0f", value) == text and text
                or tostring(value))
        end
    end)

    it("are plain numbers while they are exact", function()
        assert.equal("number", type(core.int64("9007199254740992")))
        if doubles_only then
            assert.equal("userdata", type(core.int64("9007199254740993")))
            assert.equal("9007199254740993", tostring(core.int64("9007199254740993")))
            assert.equal(core.int64("9007199254740993"), core.int64("9007199254740993"))
            assert.is_true(core.int64("9007199254740993") < core.int64("9007199254740994"))
        end
    end)

    it("refuse text that is no 64-bit integer", function()
        for _, text in ipairs({ "", "-", "1.5", "9223372036854775808", "-9223372036854775809", "1e3", " 1" }) do
            assert.is_false(pcall(core.int64, text), text)
        end
        assert.is_false(pcall(core.int64, 1.5))
        assert.is_false(pcall(core.int64, 2 ^ 63))
    end)
end)

describe("timestamps", function()
    it("print as ISO 8601 and read it back", function()
        for _, text in ipairs({ "1970-01-01T00:00:00Z", "2024-02-29T12:34:56.789Z", "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59.5Z", "9999-12-31T23:59:59.999999999Z" }) do
            assert.equal(text, tostring(core.timestamp(text)))
        end
        assert.equal("2024-05-01T00:00:00Z", tostring(core.timestamp("2024-05-01")))
    end)

    it("keep seconds and nanoseconds of one sign", function()
        local t = core.timestamp("1969-12-31T23:59:58.5Z")
        assert.equal(-1, t.seconds)
        assert.equal(-500000000, t.nanoseconds)
        assert.equal(-1.5, t:tonumber())
        assert.equal(core.timestamp(-1.5), t)
        assert.is_false(pcall(core.timestamp, 1, -1))
        assert.is_false(pcall(core.timestamp, 1, 1000000000))
    end)

    it("compare by time", function()
        assert.is_true(core.timestamp(1, 5) < core.timestamp(1, 6))
        assert.is_true(core.timestamp(1, 5) <= core.timestamp(1, 5))
        assert.equal(core.timestamp(1, 5), core.timestamp(1, 5))
        assert.is_true(core.timestamp() > core.timestamp(1600000000))
    end)

    it("refuse what is no time", function()
        for _, text in ipairs({ "", "2024", "2024-13-01", "2024-01-01T25:00:00Z", "2024-01-01T00:00:00+1", "x" }) do
            assert.is_false(pcall(core.timestamp, text), text)
        end
    end)
end)

describe("value objects", function()
    it("print and compare by content", function()
        assert.equal("1.50", tostring(core.decimal("1.50")))
        assert.equal(1.5, core.decimal("1.5"):tonumber())
        assert.equal("507f1f77bcf86cd799439011", tostring(core.objectid("507F1F77BCF86CD799439011")))
        assert.equal("00112233-4455-6677-8899-aabbccddeeff", tostring(core.uuid("00112233-4455-6677-8899-AABBCCDDEEFF")))
        assert.equal(core.objectid("507f1f77bcf86cd799439011"), core.objectid("507f1f77bcf86cd799439011"))
        assert.not_equal(core.objectid("507f1f77bcf86cd799439011"), core.objectid("507f1f77bcf86cd799439012"))
        assert.equal("a\0b", core.binary("a\0b"):bytes())
        assert.equal(3, #core.binary("a\0b"))
        assert.not_equal(core.float(1), core.double(1))
    end)

    it("know their type", function()
        assert.equal("timestamp", core.timestamp(0).type)
        assert.equal("timestamp", core.typeof(core.timestamp(0)))
        assert.equal("null", core.typeof(core.null))
        assert.equal("int", core.typeof(1))
        assert.equal("double", core.typeof(1.5))
        assert.equal("string", core.typeof("x"))
        assert.equal("link", core.typeof(core.link("Person", 1)))
        assert.is_nil(core.typeof({}))
        assert.is_nil(core.typeof(print))
    end)

    it("make new identifiers that differ", function()
        local seen = {}
        for _ = 1, 1000 do
            for _, make in ipairs({ core.objectid, core.uuid }) do
                local text = tostring(make())
                assert.is_nil(seen[text])
                seen[text] = true
            end
        end
        assert.matches("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-", tostring(core.uuid()))
    end)

    it("hold links with every kind of key", function()
        for _, key in ipairs({ 1, "name", core.objectid(), core.uuid(), core.null }) do
            local link = core.link("Person", key)
            assert.equal("Person", link.class)
            assert.equal(key, link.key)
        end
        assert.equal("Person(7)", tostring(core.link("Person", 7)))
        assert.is_false(pcall(core.link, "Person", 1.5))
    end)

    it("refuse malformed text", function()
        for _, text in ipairs({ "", "507f1f77bcf86cd79943901", "507f1f77bcf86cd79943901g" }) do
            assert.is_false(pcall(core.objectid, text))
        end
        assert.is_false(pcall(core.uuid, "00112233445566778899aabbccddeeff"))
        assert.is_false(pcall(core.decimal, "1.2.3"))
        assert.is_false(pcall(core.decimal, "x"))
        assert.is_false(pcall(core.float, "x"))
        assert.is_false(pcall(core.binary, 5))
    end)

    it("cannot be changed", function()
        assert.is_false(pcall(function() core.timestamp(0).seconds = 5 end))
        assert.is_false(getmetatable(core.timestamp(0)))
    end)
end)
