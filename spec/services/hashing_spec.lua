-- Passwords are hashed beside the loop, and those who want it take turns.
local fair_queue = require("syncline.services.fair_queue")
local json = require("syncline.core").json
local loop = require("syncline.loop")
local passwords = require("syncline.services.passwords")
local process = require("support.process")
local Server = require("syncline.server")
local service_rig = require("support.service")

describe("the queue for costly work", function()
    local begun, refused, ends

    local function add(queue, place, name)
        queue:add(place, function(done)
            begun[#begun + 1] = name
            ends[#ends + 1] = done
        end, function() refused[#refused + 1] = name end)
    end

    local function finish_one() table.remove(ends, 1)() end

    before_each(function() begun, refused, ends = {}, {}, {} end)

    it("lets places take turns, whatever one of them has piled up", function()
        local queue = fair_queue.new({ slots = 1, max = 100, max_per_place = 20 })
        for i = 1, 10 do add(queue, "attacker", "a" .. i) end
        add(queue, "one", "one")
        add(queue, "two", "two1")
        add(queue, "two", "two2")
        for _ = 1, 6 do finish_one() end
        assert.same({ "a1", "a2", "one", "two1", "a3", "two2", "a4" }, begun)
        while ends[1] do finish_one() end
        assert.equal(13, #begun)
        assert.equal(0, queue.waiting)
        assert.equal(0, queue.running)
        assert.same({}, queue.lines)
    end)

    it("has an end for each place, and for all", function()
        local queue = fair_queue.new({ slots = 2, max = 5, max_per_place = 3 })
        for i = 1, 8 do add(queue, "attacker", "a" .. i) end
        assert.same({ "a6", "a7", "a8" }, refused)
        add(queue, "p1", "p1")
        add(queue, "p2", "p2")
        -- Full: who comes first takes the place of the longest line's newest.
        add(queue, "p3", "p3")
        assert.same({ "a6", "a7", "a8", "a5" }, refused)
        add(queue, "p4", "p4")
        assert.same({ "a6", "a7", "a8", "a5", "a4" }, refused)
        add(queue, "p5", "p5")
        assert.same({ "a6", "a7", "a8", "a5", "a4", "p5" }, refused)
        while ends[1] do finish_one() end
        assert.same({ "a1", "a2", "a3", "p1", "p2", "p3", "p4" }, begun)
    end)
end)

describe("log-ins whose passwords are checked on threads", function()
    local rig, jobs

    -- Threads that work when the test says so.
    local function start()
        rig = service_rig.new()
        jobs = {}
        local auth = require("syncline.auth")
        local workers = {}
        function workers:hash_password(password, cost, done)
            jobs[#jobs + 1] = function() done(auth.hash_password(password, cost)) end
            return true
        end
        function workers:check_password(password, hash, done)
            jobs[#jobs + 1] = function() done(auth.check_password(password, hash)) end
            return true
        end
        rig.hashing = passwords.on_threads(workers, 1)
        rig:start({ email = {}, limits = { wrong = { burst = 3, every = 60 } } })
        rig.app.directory:register("ann@b.c", auth.hash_password("secret1", { log_n = 10, r = 8, p = 1 }), true)
    end

    local function work()
        while jobs[1] do table.remove(jobs, 1)() end
    end

    local function ask(peer, password, list)
        rig:ask("POST", service_rig.A .. "/auth/providers/local-userpass/login", { username = "ann@b.c", password = password }, nil,
            { peer = peer }, function(answer) list[#list + 1] = answer.status end)
    end

    before_each(start)
    after_each(function() rig:stop() end)

    it("do not keep others waiting, and are refused beyond what may wait", function()
        work()
        local theirs, mine = {}, {}
        for i = 1, 3 do ask("198.51.100.1", "wrong" .. i, theirs) end
        assert.same({}, theirs)
        assert.equal(200, rig:call("GET", service_rig.A .. "/location").status)
        ask("192.0.2.1", "secret1", mine)
        work()
        assert.same({ 401, 401, 401 }, theirs)
        assert.same({ 200 }, mine)
        -- Tries were counted before they were checked.
        ask("198.51.100.1", "secret1", theirs)
        assert.equal(429, theirs[4])
    end)

    it("give the try back when there was no turn for it", function()
        work()
        local list = {}
        rig.hashing.queue.max = 0
        for _ = 1, 10 do ask("192.0.2.1", "secret1", list) end
        assert.equal(429, list[10])
        rig.hashing.queue.max = 256
        ask("192.0.2.1", "secret1", list)
        work()
        assert.equal(200, list[11])
    end)

    it("do not open an account that was deleted while the password was checked", function()
        work()
        local list = {}
        ask("192.0.2.1", "secret1", list)
        rig.app.directory:unregister("ann@b.c")
        work()
        assert.same({ 401 }, list)
    end)
end)

describe("a server that checks passwords", function()
    it("answers others meanwhile", function()
        local folder = process.folder()
        local server = assert(Server.start({ port = 0, tls = false, storage = folder, log = { level = "off" },
            trusted_proxies = { "127.0.0.1", "::1" }, apps = { notes = { email = true, scrypt = { log_n = 13, r = 8, p = 3 } } } }))
        finally(function()
            server:close()
            process.remove_folder(folder)
        end)
        local queue, answered, left = server.hashing.queue, 0, nil
        local function ask(method, path, body, from)
            assert(loop.get():request({
                url = server:url() .. "/api/client/v2.0/app/notes" .. path, method = method, body = body and json.encode(body),
                headers = { ["X-Forwarded-For"] = from },
                on_done = function(answer)
                    answered = answered + 1
                    assert.equal(method == "GET" and 200 or 401, answer and answer.status)
                    if method == "GET" then left = queue.waiting end
                end,
            }))
        end
        for i = 1, 12 do
            ask("POST", "/auth/providers/local-userpass/login", { username = "a@b.c", password = "x" }, "198.51.100." .. i)
        end
        assert(loop.run(function() return queue.waiting >= 6 end, 30))
        ask("GET", "/location")
        assert(loop.run(function() return answered == 13 end, 60))
        assert.is_true(left > 0)
    end)
end)
