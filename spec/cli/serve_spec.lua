-- The server and the client as processes of their own.
local process = require("support.process")

describe("syncline serve", function()
    local folder, pid, url

    local function start(arguments)
        process.write_file(folder .. "/url", "")
        process.run(("bin/syncline serve --port 0 --storage %s/server %s >%s/url 2>%s/log & echo $! >%s/pid")
            :format(folder, arguments or "", folder, folder, folder))
        pid = process.read_file(folder .. "/pid"):match("%d+")
        local deadline = os.time() + 20
        repeat
            url = process.read_file(folder .. "/url"):match("^(%S+)\n")
            if not url then process.run("sleep 0.02") end
        until url or os.time() > deadline
        assert(url, process.read_file(folder .. "/log"))
    end

    local function stop(signal)
        process.run(("kill -%s %s; while kill -0 %s 2>/dev/null; do sleep 0.02; done"):format(signal or "TERM", pid, pid))
        pid = nil
    end

    local function client(arguments)
        local _, token = process.syncline("token --storage " .. folder .. "/server --user u")
        return process.syncline(("client --url %s --ca-file %s/server/tls/cert.pem --partition p --token %s %s")
            :format(url, folder, token:match("%S+"), arguments))
    end

    before_each(function() folder = process.folder() end)
    after_each(function()
        if pid then stop("KILL") end
        process.remove_folder(folder)
    end)

    it("serves, synchronises two files, and stops on SIGTERM", function()
        start()
        assert.matches("^https://localhost:%d+$", url)
        local _, _, err = process.syncline("import --path " .. folder .. "/a.realm --class Item -",
            '{"_id":1,"name":"one"}\n{"_id":2,"name":"two"}\n')
        assert.matches("2 objects", err)
        local status, _, problem = client("--path " .. folder .. "/a.realm")
        assert.equal(0, status, problem)
        process.write_file(folder .. "/script.lua", [[
            local realm = ...
            for item in realm:objects("Item"):each() do print(item._id, item.name) end
        ]])
        local code, out = client(("--path %s/b.realm --script %s/script.lua"):format(folder, folder))
        assert.equal(0, code)
        assert.equal("1\tone\n2\ttwo\n", out)
        stop("TERM")
        local log = process.read_file(folder .. "/log")
        assert.matches("stopped", log)
        assert.not_matches("baas_at", log)
        assert.not_matches("eyJ", log)
        assert.equal(0, (process.syncline("check " .. folder .. "/b.realm")))
    end)

    it("lets clients in whose token is not among their arguments", function()
        start()
        process.write_file(folder .. "/token", (select(2, process.syncline("token --storage " .. folder .. "/server --user u"))))
        local rest = ("client --url %s --ca-file %s/server/tls/cert.pem --partition p --path %s/a.realm"):format(url, folder, folder)
        assert.equal(0, (process.syncline(rest .. " --token-file " .. folder .. "/token")))
        assert.equal(0, (process.syncline(rest .. " --token-file -", process.read_file(folder .. "/token"))))
        assert.equal(0, (process.run(("SYNCLINE_TOKEN=$(cat %s/token) bin/syncline %s"):format(folder, rest))))
        local status, _, problem = process.syncline(rest .. " --token-file " .. folder .. "/none")
        assert.equal(1, status)
        assert.matches("none: No such file", problem, 1, true)
        assert.equal(2, (process.syncline(rest .. " --token x --token-file " .. folder .. "/token")))
    end)

    it("uses a renewed certificate after SIGHUP, and keeps the old one when the new one is unusable", function()
        local function make_pair(name)
            assert(process.run(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=%s"
                .. " -addext subjectAltName=DNS:localhost -keyout %s/key.pem -out %s/cert.pem 2>/dev/null")
                :format(name, folder, folder)) == 0)
        end
        local function subject()
            local port = url:match(":(%d+)$")
            process.run(("openssl s_client -connect 127.0.0.1:%s -servername localhost </dev/null 2>/dev/null"
                .. " | openssl x509 -noout -subject >%s/subject"):format(port, folder))
            return process.read_file(folder .. "/subject"):match("CN ?= ?(%w+)")
        end
        local function log_says(text)
            local deadline = os.time() + 20
            repeat
                if process.read_file(folder .. "/log"):find(text, 1, true) then return true end
                process.run("sleep 0.02")
            until os.time() > deadline
        end
        make_pair("first")
        process.write_file(folder .. "/config.lua", ('return { tls = { cert = "%s/cert.pem", key = "%s/key.pem" } }')
            :format(folder, folder))
        start("--config " .. folder .. "/config.lua")
        assert.equal("first", subject())
        make_pair("second")
        assert.equal("first", subject())
        process.run("kill -HUP " .. pid)
        assert(log_says("read the certificate again"))
        assert.equal("second", subject())
        process.write_file(folder .. "/cert.pem", "no certificate")
        process.run("kill -HUP " .. pid)
        assert(log_says("the old one stays in use"))
        assert.equal("second", subject())
        stop("TERM")
    end)

    it("writes a log of JSON lines", function()
        start("--log-format json --log-level info --app shop")
        stop("TERM")
        for line in process.read_file(folder .. "/log"):gmatch("[^\n]+") do
            local record = assert(require("syncline").json.decode(line))
            assert.is_string(record.message)
            assert.is_string(record.level)
        end
    end)

    it("keeps what was acknowledged when it is killed", function()
        start()
        process.syncline("import --path " .. folder .. "/a.realm --class Item -", '{"_id":1,"name":"one"}\n')
        assert.equal(0, (client("--path " .. folder .. "/a.realm")))
        stop("KILL")
        start()
        process.write_file(folder .. "/script.lua", [[print((...):objects("Item"):count())]])
        local _, out = client(("--path %s/b.realm --script %s/script.lua"):format(folder, folder))
        assert.equal("1\n", out)
    end)

    it("starts with the configurations of examples/", function()
        start("--config examples/server.lua")
        local _, token = process.syncline("token --app tasks --storage " .. folder .. "/server")
        local settings = ("cd %s && SYNCLINE_TOKEN=%s SYNCLINE_URL=%s SYNCLINE_CA=server/tls/cert.pem"):format(folder,
            token:match("%S+"), (url:gsub("^https", "wss")))
        local here = select(2, process.run("pwd")):match("[^\n]+")
        local build = os.getenv("SYNCLINE_BUILD") or "build"
        if not build:match("^/") then build = here .. "/" .. build end
        local status, out, err = process.run(("%s SYNCLINE_BUILD=%s %s/bin/syncline client --config %s/examples/client.lua")
            :format(settings, build, here, here))
        assert.equal(0, status, err)
        assert.equal("nobody has made a task yet\n", out)
    end)

    it("hands a new file the present content as a whole", function()
        start()
        local lines = {}
        for k = 1, 2000 do lines[k] = ('{"_id":%d,"name":"the name of object %d"}'):format(k, k * 7919) end
        process.syncline("import --path " .. folder .. "/a.realm --class Item -", table.concat(lines, "\n"))
        assert.equal(0, (client("--path " .. folder .. "/a.realm")))
        process.write_file(folder .. "/script.lua", "print((...):objects('Item'):count(), (...):info().downloaded_changesets)")
        local status, out, err = client(("--path %s/b.realm --async-open --script %s/script.lua"):format(folder, folder))
        assert.equal(0, status, err)
        assert.equal("2000\t0\n", out)
        assert.matches("100 %%  %d+ of %d+ bytes\n", err)
        status, out = client(("--path %s/c.realm --script %s/script.lua"):format(folder, folder))
        assert.equal(0, status)
        assert.matches("^2000\t[1-9]", out)
    end)

    it("says what is wrong with its configuration", function()
        process.write_file(folder .. "/bad.lua", "return { colour = 1 }")
        local status, _, err = process.syncline("serve --config " .. folder .. "/bad.lua")
        assert.equal(1, status)
        assert.matches("unknown option 'colour'", err)
        process.write_file(folder .. "/bad.lua", "return {")
        status, _, err = process.syncline("serve --config " .. folder .. "/bad.lua")
        assert.equal(1, status)
        assert.matches("bad.lua:1", err)
        assert.equal(1, (process.syncline("serve --config /nonexistent.lua")))
        assert.equal(1, (process.syncline("serve --storage /proc/nonexistent")))
    end)
end)
