-- What keeps everybody waiting is told to the operator.
local process = require("support.process")
local syncline = require("syncline")

local SCHEMA = { { name = "Note", primary_key = "_id", properties = { _id = "int", text = "string" } } }

describe("a server whose loop is held", function()
    local folder, server, realm

    before_each(function() folder = process.folder() end)

    after_each(function()
        if realm then realm:close() end
        server:close()
        process.remove_folder(folder)
    end)

    it("says so, and for how long", function()
        local loop = require("syncline.loop").get()
        server = assert(syncline.server.start({
            port = 0, storage = folder .. "/server", log = { level = "warning", file = folder .. "/log" },
            apps = { default = { anonymous = true, permissions = function()
                local till = loop:now() + 0.3
                while loop:now() < till do end -- luacheck: ignore 542
                return "write"
            end } },
        }))
        assert.are.same({ 0, 0 }, { server:stats().held, server:stats().longest_held })
        realm = assert(syncline.open({ path = folder .. "/a.realm", schema = SCHEMA, sync = {
            url = server:url(), partition = "a", ca_file = server:ca_file(), token = server:token("default", "ann"),
        } }))
        assert(realm:sync_session():wait_for_download(20))
        assert.is_true(server:stats().held >= 1)
        assert.is_true(server:stats().longest_held >= 0.3)
        local line = process.read_file(folder .. "/log"):match("[^\n]*everybody had to wait[^\n]*")
        assert.is_truthy(line and line:find("messages, requests or timers", 1, true))
    end)
end)
