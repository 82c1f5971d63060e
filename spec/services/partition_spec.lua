-- Values of partitions: read in one way by servers, rules, clients and commands.
local core = require("syncline.core")
local loop = require("syncline.loop")
local partitions = require("syncline.partition")
local permissions = require("syncline.services.permissions")
local process = require("support.process")
local Server = require("syncline.server")
local syncline = require("syncline")

local UUID, OID = "3b241101-e2bb-4255-8caf-4136c566a962", "65a1b2c3d4e5f60718293a4b"
local USER = { id = "u1", data = { n = 7, deep = { er = "x" } },
    custom_data = { team = "red", admin = true, long = ("a"):rep(400) .. "b" } }

local function access(pattern, text)
    return (permissions.decide({ { partition = pattern, access = "write" } }, USER, { kind = "string", value = text }))
end

describe("the reader of partitions", function()
    it("takes Extended JSON in every spelling, and text that is none as text", function()
        for text, expected in pairs({
            abc = 'the text "abc"', ['"42"'] = 'the text "42"', ["42"] = "the integer 42", ["null"] = "null", [""] = 'the text ""',
            ["-9223372036854775808"] = "the integer -9223372036854775808", ['{"$numberInt":"5"}'] = "the integer 5",
            ['{"$uuid":"' .. UUID:upper() .. '"}'] = "the UUID " .. UUID, [UUID] = 'the text "' .. UUID .. '"',
            ['{"$binary":{"base64":"OyQRAeK7QlWMr0E2xWapYg==","subType":"04"}}'] = "the UUID " .. UUID,
            ['{"$oid":"' .. OID:upper() .. '"}'] = "the ObjectId " .. OID, ["/a/b"] = 'the text "/a/b"', ["a b"] = 'the text "a b"',
        }) do
            assert.equal(expected, (select(3, partitions.read(text))), text)
        end
        for _, bad in ipairs({ "1.5", "true", "{}", "[]", "{x", '"a', '{"$oid":"x"}', '{"$oid":1}', "[1" }) do
            local read, message = partitions.read(bad)
            assert.is_nil(read, bad)
            assert.matches("Extended JSON", message)
        end
    end)

    it("compares rules in every spelling", function()
        local function decide(wanted, text)
            return (permissions.decide({ { partition = wanted, access = "read" } }, USER, assert(partitions.read(text))))
        end
        assert.equal("read", decide({ kind = "uuid", value = UUID:upper() }, '{"$uuid":"' .. UUID .. '"}'))
        assert.equal("read", decide({ kind = "objectid", value = OID:upper() }, '{"$oid":"' .. OID .. '"}'))
        assert.equal("read", decide({ kind = "int", value = 42 }, "42"))
        assert.equal("read", decide({ kind = "string", value = "*" }, "*"))
        assert.equal("read", decide({ kind = "null" }, "null"))
        assert.equal("none", decide({ kind = "uuid", value = UUID }, '"' .. UUID .. '"'))
        assert.equal("none", decide({ kind = "string", value = "*" }, "x"))
    end)
end)

describe("rules", function()
    it("fill in what is known of the user", function()
        assert.equal("write", access("team=%user.custom_data.team", "team=red"))
        assert.equal("none", access("team=%user.custom_data.team", "team=blue"))
        assert.equal("write", access("%user.data.n/%user.data.deep.er", "7/x"))
        assert.equal("none", access("%user.custom_data.none", ""))
        local rules = { { custom_data = { admin = true }, access = "write" } }
        assert.equal("write", (permissions.decide(rules, USER, { kind = "null" })))
        assert.equal("none", (permissions.decide(rules, { id = "x", data = { admin = true } }, { kind = "null" })))
    end)

    it("that can never match are refused", function()
        for _, wrong in ipairs({ "%user.custom.x", "%user.name", "%users", "%user", "%%user.id", "%%partition", "a%user.data.",
            "%user.data.custom_data.team", 5, { kind = "uid", value = UUID }, { kind = "uuid", value = "x" }, { kind = "int" },
            { kind = "uuid", value = UUID, more = 1 } }) do
            assert.is_nil((permissions.validate({ { partition = wrong, access = "read" } })), tostring(wrong))
        end
        assert.is_nil(permissions.validate({ { user_data = "x", access = "read" } }))
        assert.is_nil(permissions.validate({ "x" }))
        for _, right in ipairs({ "%user.id", "*%user.data.a%user.custom_data.b", "100%", "5 % 3", { kind = "null" } }) do
            assert.is_true(permissions.validate({ { partition = right, access = "read" } }))
        end
    end)

    it("match stars anywhere", function()
        for _, case in ipairs({
            { "a*b", "ab" }, { "a*b", "axxb" }, { "*", "" }, { "**", "x" }, { "a*", "a" }, { "*a*a*b", "aab" }, { "*ab*abc*", "abxababcx" },
            { "*aab*", "aaaab" }, { "*abab*c", "abaababc" }, { "%user.data.n*%user.id", "7u1" },
        }) do
            assert.equal("write", access(case[1], case[2]), case[1] .. " " .. case[2])
        end
        for _, case in ipairs({ { "a*a", "a" }, { "a*b", "abc" }, { "*a*a*b", "ab" }, { "*aba*aba*", "ababa" }, { "a.c", "abc" } }) do
            assert.equal("none", access(case[1], case[2]), case[1] .. " " .. case[2])
        end
    end)

    it("cost steps in proportion to the length", function()
        local function steps(pattern, text)
            local count = 0
            debug.sethook(function() count = count + 1 end, "", 1)
            access(pattern, text)
            debug.sethook()
            return count
        end
        if jit then jit.off() end
        for _, case in ipairs({ { "*a*a*b", "a" }, { "team-*-*", "-" }, { "*%user.custom_data.long*", "a" }, { "*aaaaaaaab*c", "a" } }) do
            local one, four = steps(case[1], "team-" .. case[2]:rep(1000)), steps(case[1], "team-" .. case[2]:rep(4000))
            assert.is_true(four < 5 * one, ("%s: %d, %d"):format(case[1], one, four))
        end
        if jit then jit.on() end
    end)
end)

describe("a running server", function()
    local folder, server

    before_each(function()
        folder = process.folder()
        server = assert(Server.start({ port = 0, tls = false, storage = folder .. "/server", log = { level = "off" }, max_partition = 100,
            apps = { default = { permissions = {
                { partition = { kind = "uuid", value = UUID }, access = "write" },
                { partition = { kind = "objectid", value = OID }, access = "write" },
                { partition = { kind = "int", value = 42 }, access = "write" },
                { partition = "a*", access = "write" },
            } } } }))
    end)
    after_each(function()
        server:close()
        process.remove_folder(folder)
    end)

    -- The code of the error that opening the partition ends with, or 0.
    local function bind(value)
        local code
        local realm = assert(syncline.open({ path = ("%s/%s.realm"):format(folder, tostring(math.random(1e9))), sync = {
            url = server:url():gsub("^http", "ws"), token = server:token("default", "u"), partition = value,
            on_error = function(problem) code = code or problem.code end } }))
        realm:sync_session():on_downloaded(function() code = code or 0 end)
        assert(loop.run(function() return code ~= nil end, 20))
        realm:close()
        return code
    end

    it("lets every kind of partition through the rule that names it", function()
        assert.equal(0, bind(syncline.uuid(UUID)))
        assert.equal(0, bind(syncline.objectid(OID)))
        assert.equal(0, bind(42))
        assert.equal(206, bind(UUID))
        assert.equal(206, bind(43))
        assert.equal(206, bind(core.null))
    end)

    it("refuses a partition that is too long", function()
        assert.equal(0, bind(("a"):rep(98)))
        assert.equal(204, bind(("a"):rep(99)))
    end)

    it("upgrades on the paths of sync alone", function()
        local function upgrade(path)
            local ended
            loop.get():connect_websocket({ url = server:url():gsub("^http", "ws") .. path, protocols = "com.mongodb.realm-sync#7",
                on_open = function(connection) connection:close(1000) end,
                on_close = function(_, _, _, why) ended = tostring(why):match("%d%d%d") or tostring(why) end })
            assert(loop.run(function() return ended ~= nil end, 20))
            return ended
        end
        for _, path in ipairs({ "/realm-sync-evil", "/realm-syncx/a", "/x/realm-sync", "/api/client/v2.0/app/a/realm-sync/x" }) do
            assert.equal("404", upgrade(path), path)
        end
        for _, path in ipairs({ "/realm-sync", "/realm-sync/%2Ftest", "//realm-sync", "/api/client/v2.0/app/default/realm-sync" }) do
            assert.equal("401", upgrade(path), path)
        end
    end)
end)
