-- The programs of examples/: the task list alone and shared through a server, and the seats of a hall.
local process = require("support.process")
local syncline = require("syncline")

-- Starts a server of its own for the app of the examples; returns the settings of its clients.
local function serve(folder)
    process.write_file(folder .. "/url", "") -- the shell makes it when the server starts, which may be later
    process.run(("bin/syncline serve --port 0 --app tasks --storage %s/server >%s/url 2>%s/log & echo $! >%s/pid")
        :format(folder, folder, folder, folder))
    local pid, url = process.read_file(folder .. "/pid"):match("%d+"), nil
    finally(function() process.run("kill " .. pid) end)
    for _ = 1, 500 do
        url = process.read_file(folder .. "/url"):match("^(%S+)\n")
        if url then break end
        process.run("sleep 0.02")
    end
    return ("SYNCLINE_URL=%s SYNCLINE_CA=%s/server/tls/cert.pem"):format(url, folder)
end

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
        local settings = serve(folder)
        local _, _, err = tasks("a", "add Water the plants", settings)
        assert.equal("", err)
        local _, out = tasks("b", "done 1", settings)
        assert.equal("  1 [x] Water the plants\n", out)
        _, out = tasks("a", "", settings)
        assert.equal("  1 [x] Water the plants\n", out)
        assert.is_string(syncline._VERSION)
    end)
end)

describe("examples/seats.lua", function()
    local folder

    before_each(function() folder = process.folder() end)
    after_each(function() process.remove_folder(folder) end)

    it("sells every seat once, whoever books at the same time", function()
        local settings = serve(folder)
        local commands = {}
        for guest = 1, 4 do
            commands[guest] = ("mkdir %s/g%d; SYNCLINE_EXAMPLE=%s/g%d %s lua5.4 examples/seats.lua book g%d 3 >%s/g%d/out 2>&1 &")
                :format(folder, guest, folder, guest, settings, guest, folder, guest)
        end
        process.run(table.concat(commands, "\n") .. "\nwait")
        local seats, losers = {}, 0
        for guest = 1, 4 do
            local out = process.read_file(("%s/g%d/out"):format(folder, guest))
            local first, last = out:match("^g%d has the seats (%d+) to (%d+)\n$")
            if first then
                for number = first, last do
                    assert.is_nil(seats[number])
                    seats[number] = "g" .. guest
                end
            else
                assert.equal("there are no 3 free seats next to each other\n", out)
                losers = losers + 1
            end
        end
        assert.equal(1, losers) -- ten seats are enough for three groups
        process.run(("mkdir %s/look"):format(folder))
        local _, out = process.run(("SYNCLINE_EXAMPLE=%s/look %s lua5.4 examples/seats.lua"):format(folder, settings))
        for number = 1, 10 do
            assert.truthy(out:find(("%2d %s\n"):format(number, seats[number] or "-"), 1, true))
        end
    end)
end)
