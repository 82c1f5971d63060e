-- What a server does not take: the device that sent it is told and keeps it, others go on.
local process = require("support.process")
local syncline = require("syncline")

local SCHEMA = {
    {
        name = "Item", primary_key = "_id",
        properties = { { name = "_id", type = "string" }, { name = "text", type = "string?" }, { name = "more", type = "string?" } },
    },
}

local function wide_schema()
    local properties = { { name = "_id", type = "string" } }
    for i = 1, 6 do properties[i + 1] = { name = "p" .. i, type = "int?" } end
    return { { name = "Wide", primary_key = "_id", properties = properties } }
end

describe("a limit of the server", function()
    local folder, server, realms, problems

    local function open(name, schema)
        local realm = assert(syncline.open({
            path = ("%s/%s.realm"):format(folder, name), schema = schema or SCHEMA,
            sync = {
                url = server:url(), token = server:token("default", "user-" .. name), partition = "shared",
                ca_file = server:ca_file(),
                on_error = function(problem) problems[#problems + 1] = { name, problem.code, problem.message } end,
            },
        }))
        realms[#realms + 1] = realm
        return realm
    end

    before_each(function()
        folder, realms, problems = process.folder(), {}, {}
        server = assert(syncline.server.start({
            port = 0, storage = folder .. "/server", log = { level = "off" }, max_properties = 5, max_key_bytes = 20,
            max_object_bytes = 1000,
        }))
    end)

    after_each(function()
        for _, realm in ipairs(realms) do realm:close() end
        server:stop()
        assert(syncline.run(function() return server.stopped end, 10))
        server:close()
        process.remove_folder(folder)
    end)

    -- `poison` is uploaded; the other device's changes come through before and after.
    local function check(code, schema, poison)
        local good = open("good")
        assert(good:write(function() good:create("Item", { _id = "a" }) end))
        assert(good:sync_session():wait_for_upload(20))
        local bad = open("bad", schema)
        poison(bad)
        assert(syncline.run(function() return #problems > 0 end, 20))
        assert.same({ "bad", code }, { problems[1][1], problems[1][2] })
        assert(good:write(function() good:create("Item", { _id = "b" }) end))
        assert(good:sync_session():wait_for_upload(20))
        assert.equal(1, #problems)
        return bad
    end

    it("on properties is error 225", function()
        check(225, wide_schema(), function(realm)
            assert(realm:write(function() realm:create("Wide", { _id = "w" }) end))
        end)
    end)

    it("on an object is error 201, whoever was in the same unit, and the device keeps what it wrote", function()
        local bad = check(201, nil, function(realm)
            assert(realm:write(function() realm:create("Item", { _id = "big", text = ("t"):rep(600) }) end))
            assert(realm:write(function() realm:object("Item", "big").more = ("t"):rep(600) end))
        end)
        assert.equal(600, #bad:object("Item", "big").more)
    end)

    it("on keys is error 201", function()
        check(201, nil, function(realm)
            assert(realm:write(function() realm:create("Item", { _id = ("k"):rep(21) }) end))
        end)
    end)
end)
