-- Who may change the schema of a realm: a right of its own beside read and write.
local process = require("support.process")
local syncline = require("syncline")

local function item(...)
    local properties = { { name = "_id", type = "string" }, { name = "text", type = "string?" } }
    for _, name in ipairs({ ... }) do properties[#properties + 1] = { name = name, type = "string?" } end
    return { { name = "Item", primary_key = "_id", properties = properties } }
end

describe("the right to change the schema", function()
    local folder, server, realms, problems

    local function open(user, schema, partition)
        local realm = assert(syncline.open({
            path = ("%s/%s-%d.realm"):format(folder, user, #realms), schema = schema,
            sync = {
                url = server:url(), token = server:token("default", user), partition = partition, ca_file = server:ca_file(),
                on_error = function(problem) problems[#problems + 1] = problem end,
            },
        }))
        realms[#realms + 1] = realm
        return realm
    end

    local function create(realm, id)
        assert(realm:write(function() realm:create("Item", { _id = id }) end))
        return realm:sync_session():wait_for_upload(20)
    end

    before_each(function()
        folder, realms, problems = process.folder(), {}, {}
        server = assert(syncline.server.start({
            port = 0, storage = folder .. "/server", log = { level = "off" },
            apps = { default = { anonymous = true, schema = "locked", permissions = {
                { user = "developer", access = "write", schema = "owner" },
                { partition = "open", access = "write", schema = "additive" },
                { access = "write" },
            } } },
        }))
    end)

    after_each(function()
        for _, realm in ipairs(realms) do realm:close() end
        server:stop()
        assert(syncline.run(function() return server.stopped end, 10))
        server:close()
        process.remove_folder(folder)
    end)

    it("belongs to some: others use what is there, and are told what they may not add", function()
        local developer = open("developer", item(), "app")
        assert(create(developer, "a"))
        local user = open("user", item(), "app")
        assert(create(user, "b"))
        assert.same({}, problems)
        local newer = open("newer", item("extra"), "app")
        create(newer, "c")
        assert(syncline.run(function() return #problems > 0 end, 20))
        assert.equal(225, problems[1].code)
        assert.truthy(problems[1].message:find('may not add property "extra" here', 1, true))
        assert.truthy(newer:object("Item", "c")) -- what was written stays
        assert(create(user, "d"))
        assert.equal(1, #problems)
    end)

    it("is as good as needed where a rule says so", function()
        assert(create(open("one", item(), "open"), "a"))
        assert(create(open("two", item("extra"), "open"), "b"))
        assert.same({}, problems)
    end)

    it("says what clashes", function()
        assert(create(open("one", item(), "open"), "a"))
        open("two", { { name = "Item", primary_key = "_id", properties = { { name = "_id", type = "int" } } } }, "open")
        assert(syncline.run(function() return #problems > 0 end, 20))
        assert.equal(225, problems[1].code)
        assert.truthy(problems[1].message:find("Item", 1, true))
    end)
end)
