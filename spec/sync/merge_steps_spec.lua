-- What may not be merged in one piece comes back on a fresh copy: a server with a small budget of steps,
-- and two devices that have edited one list for a long time without hearing of each other.
local process = require("support.process")
local syncline = require("syncline")

local EDITS = 400
local SCHEMA = {
    {
        name = "Item", primary_key = "_id",
        properties = { { name = "_id", type = "int" }, { name = "list", type = "string[]" } },
    },
}

describe("an upload that takes too long to merge", function()
    local folder, server, realms, problems, resets

    local function open(name, offline)
        local sync = not offline and {
            url = server:url(), token = server:token("default", "user-" .. name), partition = "shared",
            ca_file = server:ca_file(),
            client_reset = { mode = "recover", after = function(_, result) resets[#resets + 1] = { name, result } end },
            on_error = function(problem) problems[#problems + 1] = problem end,
        } or nil
        local realm = assert(syncline.open({
            path = ("%s/%s.realm"):format(folder, name), schema = not offline and SCHEMA or nil, sync = sync,
        }))
        realms[#realms + 1] = realm
        return realm
    end

    local function settle(realm)
        assert(realm:sync_session():wait_for_upload(20))
        assert(realm:sync_session():wait_for_download(20))
    end

    -- Insertions all over the list, one transaction each: nothing that could be merged in large parts.
    local function edit(realm, mark)
        for i = 1, EDITS do
            assert(realm:write(function()
                local list = realm:object("Item", 1).list
                list:insert(1 + 7919 % (#list + 1), mark .. i)
            end))
        end
    end

    local function count(realm, mark)
        local found, list = 0, realm:object("Item", 1).list
        for i = 1, #list do
            if list[i]:sub(1, 1) == mark then found = found + 1 end
        end
        return found
    end

    before_each(function()
        folder, realms, problems, resets = process.folder(), {}, {}, {}
        server = assert(syncline.server.start({
            port = 0, storage = folder .. "/server", log = { level = "off" }, max_merge_steps = 2000,
        }))
    end)

    after_each(function()
        for _, realm in ipairs(realms) do realm:close() end
        server:stop()
        assert(syncline.run(function() return server.stopped end, 10))
        server:close()
        process.remove_folder(folder)
    end)

    it("is refused, and the device carries it over to a fresh copy", function()
        local a = open("a")
        assert(a:write(function() a:create("Item", { _id = 1 }) end))
        settle(a)
        local b = open("b")
        settle(b)
        b:close()
        edit(a, "a")
        settle(a)
        b = open("b", true)
        edit(b, "b")
        b:close()
        b = open("b")
        settle(b)
        settle(a)
        assert.same({}, problems)
        assert.equal(1, #resets)
        assert.equal("b", resets[1][1])
        assert.is_true(resets[1][2].recovered)
        assert.equal(EDITS, count(b, "a"))
        assert.equal(EDITS, count(b, "b"))
        assert.equal(a:state(), b:state())
    end)
end)
