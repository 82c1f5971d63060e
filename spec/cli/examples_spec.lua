-- The task list of examples/: alone, and shared through a server.
local process = require("support.process")
local syncline = require("syncline")

describe("examples/tasks.lua", function()
    local folder

    before_each(function() folder = process.folder() end)
    after_each(function() process.remove_folder(folder) end)

    local function tasks(device, arguments, settings)
        process.run(("mkdir -p %s/%s"):format(folder, device))
        return process.run(("SYNCLINE_EXAMPLE=%s/%s %s lua5.4 examples/tasks.lua %s")
            :format(folder, device, settings or "", arguments))
    end

    it("keeps tasks in a file", function()
        local _, out = tasks("a", "")
        assert.equal("no tasks\n", out)
        tasks("a", "add Water the plants")
        tasks("a", "add Feed the cat")
        _, out = tasks("a", "done 2")
        assert.equal("  1 [ ] Water the plants\n  2 [x] Feed the cat\n", out)
        _, out = tasks("a", "remove 1")
        assert.equal("  1 [x] Feed the cat\n", out)
        local status, _, err = tasks("a", "done 7")
        assert.equal(1, status)
        assert.matches("no task 7", err)
        assert.equal(2, (tasks("a", "dance")))
    end)

    it("shares them through a server", function()
        local url, pid
        process.write_file(folder .. "/url", "") -- the shell makes it when the server starts, which may be later
        process.run(("bin/syncline serve --port 0 --app tasks --storage %s/server >%s/url 2>%s/log & echo $! >%s/pid")
            :format(folder, folder, folder, folder))
        pid = process.read_file(folder .. "/pid"):match("%d+")
        finally(function() process.run("kill " .. pid) end)
        for _ = 1, 500 do
            url = process.read_file(folder .. "/url"):match("^(%S+)\n")
            if url then break end
            process.run("sleep 0.02")
        end
        local settings = ("SYNCLINE_URL=%s SYNCLINE_CA=%s/server/tls/cert.pem"):format(url, folder)
        local _, _, err = tasks("a", "add Water the plants", settings)
        assert.equal("", err)
        local _, out = tasks("b", "done 1", settings)
        assert.equal("  1 [x] Water the plants\n", out)
        _, out = tasks("a", "", settings)
        assert.equal("  1 [x] Water the plants\n", out)
        assert.is_string(syncline._VERSION)
    end)
end)
