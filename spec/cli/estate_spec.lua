-- What an operator does with all of a server: lists realms, erases them and users, copies everything.
local json = require("syncline.core").json
local process = require("support.process")
local syncline = require("syncline")

local ANN, BOB = "65a1b2c3d4e5f60718293a4b", "65a1b2c3d4e5f60718293a4d"

describe("realm list, realm erase, user erase and backup --server", function()
    local folder, pid, url

    local function run(arguments, storage)
        return process.syncline(("%s --storage %s/%s"):format(arguments, folder, storage or "server"))
    end

    local function done(arguments, storage)
        local status, out, problem = run(arguments, storage)
        assert.equal(0, status, problem)
        return out
    end

    local function serve(storage)
        process.write_file(folder .. "/url", "")
        process.run(("bin/syncline serve --port 0 --storage %s/%s >%s/url 2>%s/log & echo $! >%s/pid")
            :format(folder, storage or "server", folder, folder, folder))
        pid = process.read_file(folder .. "/pid"):match("%d+")
        local deadline = os.time() + 20
        repeat
            url = process.read_file(folder .. "/url"):match("^(%S+)\n")
            process.run("sleep 0.02")
        until url or os.time() > deadline
        assert(url, process.read_file(folder .. "/log"))
    end

    local function stop()
        process.run(("kill -TERM %s; while kill -0 %s 2>/dev/null; do sleep 0.02; done"):format(pid, pid))
        pid = nil
    end

    local function token(user, storage)
        return (done("token --app notes --user " .. user, storage):gsub("%s", ""))
    end

    local function device(name, user, partition, storage, more)
        local sync = { url = url:gsub("^http", "ws"), app_id = "notes", partition = partition, token = token(user, storage),
            tls = { ca = ("%s/%s/tls/cert.pem"):format(folder, storage or "server") } }
        for key, value in pairs(more or {}) do sync[key] = value end
        return assert(syncline.open({ path = ("%s/%s.realm"):format(folder, name), sync = sync,
            schema = { { name = "Note", primary_key = "_id", properties = { _id = "int", text = "string" } } } }))
    end

    local function write(realm, id, text)
        assert(realm:write(function() realm:create("Note", { _id = id, text = text }) end))
        assert(realm:sync_session():wait_for_upload(20))
    end

    local function begin()
        done("app create notes --email")
        done(("user create --app notes --email ann@example.org --id %s"):format(ANN))
        done(("user create --app notes --email bob@example.org --id %s"):format(BOB))
        serve()
    end

    -- Whether a text is anywhere in the storage folder.
    local function is_kept(text)
        return (process.run(("grep -rqF -- %s %s/server"):format(process.quote(text), folder))) == 0
    end

    before_each(function() folder = process.folder() end)
    after_each(function()
        if pid then stop() end
        process.remove_folder(folder)
    end)

    it("list what there is, with sizes and users, and erase one realm, of which a device hears", function()
        begin()
        local lost = {}
        local ann = device("ann", ANN, "public", nil, { on_server_lost = function(problem) lost[#lost + 1] = problem end,
            on_error = function() end })
        local bob = device("bob", BOB, "user=" .. BOB)
        finally(function()
            ann:close()
            bob:close()
        end)
        write(ann, 1, "privatissimum")
        write(bob, 1, "to be kept")
        local list = json.decode(done("realm list --app notes --json"))
        assert.equal(2, #list)
        assert.same({ '"public"', { ANN }, 1 }, { list[1].partition, list[1].users, list[1].devices })
        assert.is_true(list[1].bytes > 4096 and list[1].last_seen > 0)
        assert.matches('notes  "public"  %d+ bytes, 1 devices of 1 users, last seen %d+', done("realm list"))
        assert.is_true(is_kept("privatissimum"))
        assert.equal(2, (run("realm erase --app notes --partition public")))
        assert.is_true(is_kept("privatissimum"))
        done("realm erase --app notes --partition public --yes")
        assert.is_false(is_kept("privatissimum"))
        assert.is_false(is_kept("public"))
        assert(syncline.run(function() return lost[1] ~= nil end, 30))
        assert.is_true(lost[1].server_lost)
        assert.equal("privatissimum", ann:object("Note", 1).text) -- the device's copy is its own
        write(bob, 2, "still in step")
        local fresh = device("fresh", ANN, "public")
        assert(fresh:sync_session():wait_for_download(20))
        assert.equal(0, fresh:objects("Note"):count())
        fresh:close()
        assert.is_false(is_kept("privatissimum"))
        local status, _, problem = run("realm erase --app notes --partition nothing --yes")
        assert.equal(1, status)
        assert.matches("there is no realm of the text \"nothing\" in app 'notes'", problem, 1, true)
    end)

    for _, running in ipairs({ true, false }) do
        it("erase a user with everything of theirs " .. (running and "while the server runs" or "beside it"), function()
            begin()
            local names = { own = "user=" .. ANN, both = ANN .. "+" .. BOB, shared = "public", other = "user=" .. BOB }
            for name, partition in pairs(names) do
                local realm = device(name, name == "other" and BOB or ANN, partition)
                write(realm, 1, "text of " .. name)
                realm:close()
            end
            local old = token(ANN)
            if not running then stop() end
            local status, out = run(("user erase --app notes %s"):format(ANN))
            assert.equal(2, status)
            assert.matches("ann@example.org\nnotes  \"user=" .. ANN .. "\"", out)
            assert.is_true(is_kept("text of own"))
            assert.equal("1 account, 1 realms erased\n", done(("user erase --app notes %s --yes"):format(ANN)))
            assert.is_false(is_kept("text of own"))
            assert.is_false(is_kept("ann@example.org"))
            for _, name in ipairs({ "both", "shared", "other" }) do assert.is_true(is_kept("text of " .. name)) end
            assert.is_true(is_kept("bob@example.org"))
            assert.equal(1, (run(("user erase --app notes %s --yes"):format(ANN))))
            if not running then serve() end
            process.write_file(folder .. "/token", old)
            assert.equal(1, (process.syncline(("client --url %s --app notes --partition user=%s --ca-file %s/server/tls/cert.pem"
                .. " --path %s/own.realm --token-file %s/token"):format(url, ANN, folder, folder, folder))))
            assert.is_false(is_kept("text of own"))
        end)
    end

    it("are what the manual says", function()
        begin()
        local realm = device("ann", ANN, "public")
        write(realm, 1, "a note")
        realm:close()
        local text = process.read_file("doc/serve.md"):match("## Realms, erasing, backups\n\n```sh\n(.-)```")
        local count = 0
        for line in text:gmatch("[^\n]+") do
            local arguments = assert(line:match("^syncline (.*)")):gsub("/var/lib/syncline", folder .. "/server")
                :gsub("/var/backups", folder)
            local status, _, problem = process.syncline(arguments)
            assert.equal(0, status, line .. ": " .. problem)
            count = count + 1
        end
        assert.equal(5, count)
        assert.is_false(is_kept("a note"))
        assert.is_false(is_kept("ann@example.org"))
    end)

    it("copy a server that runs; the copy takes its place as it is", function()
        begin()
        local realm = device("ann", ANN, "user=" .. ANN)
        for id = 1, 20 do write(realm, id, "text " .. id) end
        local copied = json.decode(done(("backup --server %s/copy --json"):format(folder)))
        assert.equal(3, copied.realms) -- of notes: users and a partition; of the app that there is by itself: users
        write(realm, 21, "after the copy")
        realm:close()
        local _, modes = process.run(("find %s/copy -type f ! -perm 0600; find %s/copy -type d ! -perm 0700"):format(folder, folder))
        assert.equal("", modes)
        local status, _, problem = run(("backup --server %s/copy"):format(folder))
        assert.equal(1, status)
        assert.matches("is there already", problem, 1, true)
        stop()
        process.run(("rm -r %s/server; cp -r %s/copy %s/server"):format(folder, folder, folder))
        for file in select(2, process.run(("find %s/server -name '*.realm'"):format(folder))):gmatch("[^\n]+") do
            assert.equal(0, (process.syncline("check " .. file)))
        end
        serve()
        assert.matches("ann@example.org", done("user list --app notes"))
        assert.matches('"user=' .. ANN .. '"', done("realm list"), 1, true)
        local fresh = device("fresh", ANN, "user=" .. ANN)
        assert(fresh:sync_session():wait_for_download(20))
        assert.equal(20, fresh:objects("Note"):count())
        fresh:close()
        -- The device that went on has more than the copy: nothing of it is lost.
        realm = device("ann", ANN, "user=" .. ANN)
        assert(realm:sync_session():wait_for_upload(20))
        assert.equal("after the copy", realm:object("Note", 21).text)
        realm:close()
    end)
end)
