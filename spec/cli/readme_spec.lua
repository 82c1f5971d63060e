-- The program in the README runs as it stands there, and once more as the same user; Ctrl-C ends it.
local process = require("support.process")
local syncline = require("syncline")

local quote = process.quote

describe("the example of the README", function()
    local folder, server
    before_each(function()
        folder = process.folder()
        server = assert(syncline.server.start({ port = 0, storage = folder .. "/syncline-data", log = { level = "off" } }))
        local text = process.read_file("README.md"):match("```lua\n(.-)```")
        process.write_file(folder .. "/tasks.lua", (text:gsub("https://localhost:9090", server:url())))
    end)
    after_each(function()
        server:close()
        process.remove_folder(folder)
    end)

    -- Paths of this checkout, seen from the folder.
    local function absolute(paths)
        local _, here = process.run("pwd")
        local out = {}
        for path in paths:gmatch("[^;]+") do
            out[#out + 1] = path:sub(1, 1) == "/" and path or here:gsub("%s+$", "") .. "/" .. path
        end
        return quote(table.concat(out, ";"))
    end

    -- Starts it in the folder; output, number of the process and exit status go into files there.
    local function start(name)
        process.write_file(folder .. "/start.sh", ([[
            cd %s
            export LUA_PATH=%s LUA_CPATH=%s XDG_STATE_HOME=%s
            %s -e 'io.stdout:setvbuf("line")' tasks.lua >%s.out 2>&1 &
            echo $! >%s.pid
            wait $!
            echo $? >%s.status
        ]]):format(quote(folder), absolute(package.path), absolute(package.cpath), quote(folder .. "/state"),
            os.getenv("SYNCLINE_LUA") or "lua5.4", name, name, name))
        process.run(("sh %s >/dev/null 2>&1 &"):format(quote(folder .. "/start.sh")))
    end

    local function file(name)
        local handle = io.open(folder .. "/" .. name)
        if not handle then return "" end
        local text = handle:read("*a")
        handle:close()
        return text
    end

    local function wait(condition, what)
        local ok = syncline.run(condition, 20)
        assert(ok, what)
    end

    it("runs twice as the same user, and Ctrl-C ends it", function()
        for run = 1, 2 do
            local name = "run" .. run
            start(name)
            wait(function() return file(name .. ".out"):find(run .. " tasks\n", 1, true) or file(name .. ".status") ~= "" end)
            assert.equal("", file(name .. ".status"), file(name .. ".out"))
            assert.matches(run .. " tasks\n$", file(name .. ".out"))
            local realm
            wait(function()
                -- Everything is on the server: the program waits for others in syncline.run().
                realm = realm or assert(syncline.open({ sync = { url = (server:url():gsub("^http", "ws")), partition = "my-tasks",
                    token = server:token("default", "observer"), ca_file = server:ca_file() } }))
                return realm:present_classes().Task and realm:objects("Task"):count() == run
            end, file(name .. ".out"))
            realm:close()
            process.run("kill -INT " .. file(name .. ".pid"))
            wait(function() return file(name .. ".status") ~= "" end, "it goes on after Ctrl-C")
        end
        local _, users = process.run(("find %s -name '*.json' -printf '%%m %%f\n'"):format(quote(folder .. "/state")))
        assert.matches("^600 default@localhost_%d+%.json\n$", users)
    end)
end)
