-- The program in the README runs as it stands there.
local process = require("support.process")
local syncline = require("syncline")

describe("the example of the README", function()
    it("runs against a server", function()
        local folder = process.folder()
        local server = assert(syncline.server.start({ port = 0, storage = folder .. "/syncline-data", log = { level = "off" } }))
        finally(function()
            server:close()
            process.remove_folder(folder)
        end)
        local text = process.read_file("README.md"):match("```lua\n(.-)```")
        text = text:gsub("https://localhost:9090", server:url()):gsub("syncline%-data", folder .. "/syncline-data")
            :gsub("tasks%.realm%.db", folder .. "/tasks.realm.db"):gsub("syncline%.run%(%)", "return realm")
        local printed = {}
        local chunk = assert((loadstring or load)(text)) -- luacheck: ignore loadstring
        local old = print
        _G.print = function(line) printed[#printed + 1] = line end -- luacheck: ignore
        local ok, realm = pcall(chunk)
        _G.print = old -- luacheck: ignore
        assert(ok, realm)
        assert.same({ "1 tasks" }, printed)
        assert.equal("Water the plants", realm:objects("Task"):first().title)
        realm:close()
    end)
end)
