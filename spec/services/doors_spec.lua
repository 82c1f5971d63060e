-- Who gets in, who does not, and what strangers can do to those who should.
local addresses = require("syncline.services.addresses")
local auth = require("syncline.auth")
local limits = require("syncline.services.limits")
local service_rig = require("support.service")

local A, B, EMAIL = service_rig.A, service_rig.B, service_rig.EMAIL

describe("tokens and keys that were good once", function()
    local rig
    before_each(function() rig = service_rig.new() end)
    after_each(function() rig:stop() end)

    local function admits(id, issued)
        return rig.app:admits_standing({ sub = id, iat = issued })
    end

    it("are void without a session, too, when the user is disabled or deleted", function()
        rig:start({ anonymous = true })
        local id = rig:log_in("anon-user").value.user_id
        assert.is_true(admits(id, rig.now))
        assert.is_true(admits("never-here", rig.now))
        rig.app:set_disabled(id, true)
        assert.is_false(admits(id, rig.now))
        rig.now = rig.now + 10
        assert.is_false(admits(id, rig.now))
        rig.app:set_disabled(id, false)
        assert.is_false(admits(id, rig.now - 20))
        assert.is_true(admits(id, rig.now))
        rig.app:delete_user(id)
        assert.is_false(admits(id, rig.now))
        assert.is_false(admits(id, rig.now + 100))
        rig.now = rig.now + 20
        assert.is_true(rig.app.directory:create_user(id, { { provider = "custom-token", subject = "s" } }))
        assert.is_false(admits(id, rig.now - 30))
        assert.is_true(admits(id, rig.now))
    end)

    local function key_session(login)
        local key = rig:call("POST", B .. "/auth/api_keys", { name = "k" .. #rig.logs }, login.refresh_token).value
        local session = rig:log_in("api-key", { key = key.key }).value
        assert.equal(201, rig:call("POST", B .. "/auth/session", nil, session.refresh_token).status)
        return B .. "/auth/api_keys/" .. key._id, session
    end

    it("end with the API key that they were opened with", function()
        rig:start({ anonymous = true, api_key = true })
        local login = rig:log_in("anon-user").value
        for _, way in ipairs({ { "PUT", "/disable" }, { "DELETE", "" } }) do
            local path, session = key_session(login)
            local sid = auth.decode(session.refresh_token).sid
            assert.equal(204, rig:call(way[1], path .. way[2], nil, login.refresh_token).status)
            assert.equal(401, rig:call("POST", B .. "/auth/session", nil, session.refresh_token).status)
            assert.equal(401, rig:call("GET", B .. "/auth/profile", nil, session.access_token).status)
            assert.same({ user = login.user_id, sessions = { [sid] = true } }, rig.revoked[#rig.revoked])
            assert.equal(201, rig:call("POST", B .. "/auth/session", nil, login.refresh_token).status)
        end
    end)

    it("are not made in an app that lets nobody in with a key, and end when it does so no more", function()
        rig:start({ anonymous = true, api_key = { max_keys = 2 } })
        local login = rig:log_in("anon-user").value
        local _, session = key_session(login)
        key_session(login)
        local full = rig:call("POST", B .. "/auth/api_keys", { name = "third" }, login.refresh_token)
        assert.equal(400, full.status)
        assert.equal("BadRequest", full.value.error_code)
        rig.service:close()
        rig:start({ anonymous = true })
        local off = rig:call("POST", B .. "/auth/api_keys", { name = "fourth" }, login.refresh_token)
        assert.equal(404, off.status)
        assert.equal("AuthProviderNotFound", off.value.error_code)
        assert.equal(401, rig:call("POST", B .. "/auth/session", nil, session.refresh_token).status)
        assert.equal(2, #rig:call("GET", B .. "/auth/api_keys", nil, login.refresh_token).value)
    end)

    it("give way to newer ones: tickets of the same purpose", function()
        rig:start({ email = {} })
        rig:call("POST", EMAIL .. "register", { email = "a@b.c", password = "secret1" })
        local function send() return rig:call("POST", EMAIL .. "reset/send", { email = "a@b.c" }).status end
        local function use(mail)
            return rig:call("POST", EMAIL .. "reset", { password = "secret2", token = mail.token, tokenId = mail.token_id }).status
        end
        send()
        send()
        assert.equal(400, use(rig.mails[1]))
        assert.equal(200, use(rig.mails[2]))
        assert.equal(400, use(rig.mails[2]))
        send()
        rig.app.directory:update_password("a@b.c", { hash = rig.app.passwords:hash("secret3") })
        assert.equal(400, use(rig.mails[3]))
    end)
end)

describe("sessions of one user", function()
    local rig
    before_each(function() rig = service_rig.new() end)
    after_each(function() rig:stop() end)

    -- Calls of the realm that one log-in takes.
    local function steps_of_login(theirs)
        local count, realm = 0, rig.app.directory.realm
        local counted = setmetatable({}, {
            __index = function(_, name)
                return function(_, ...)
                    count = count + 1
                    return realm[name](realm, ...)
                end
            end,
        })
        rig.app.directory.realm, rig.app.directory.sessions.realm = counted, counted
        assert.equal(200, rig:log_in("custom-function", { id = theirs }).status)
        rig.app.directory.realm, rig.app.directory.sessions.realm = realm, realm
        return count
    end

    local function start(most)
        rig:start({
            ["function"] = { login = function(payload) return payload.id end },
            max_sessions_per_user = most,
            limits = { log_in = false },
        })
    end

    it("may be thousands: one more costs as much as the first", function()
        start()
        local id = rig:log_in("custom-function", { id = "crowd" }).value.user_id
        rig.app.directory.realm:write(function()
            for i = 1, 3000 do
                rig.app.directory.realm:create("Session", { _id = "s" .. i, user = id, device = "-", created = rig.now,
                    last_used = rig.now, expires = rig.now + 1000 })
            end
        end)
        rig:log_in("custom-function", { id = "single" })
        assert.is_true(steps_of_login("crowd") <= steps_of_login("single"))
    end)

    it("have an end: the one that was used longest ago makes room", function()
        start(3)
        local logins = {}
        for i = 1, 3 do
            logins[i] = rig:log_in("custom-function", { id = "u" }).value
            rig.now = rig.now + 1
        end
        rig.now = rig.now + 2 * 24 * 3600
        local function works(login) return rig:call("POST", B .. "/auth/session", nil, login.refresh_token).status == 201 end
        assert.is_true(works(logins[1]))
        rig:log_in("custom-function", { id = "u" })
        assert.is_true(works(logins[1]))
        assert.is_false(works(logins[2]))
        assert.is_true(works(logins[3]))
    end)

    it("go when they have expired, without being asked for", function()
        start()
        for i = 1, 10 do rig:log_in("custom-function", { id = "u" .. i }) end
        rig.now = rig.now + 61 * 24 * 3600
        for i = 11, 14 do rig:log_in("custom-function", { id = "u" .. i }) end
        assert.equal(4, rig.app.directory.realm:objects("Session"):count())
    end)
end)

describe("guessing passwords", function()
    local rig
    local account, right = { email = "ann@example.org", password = "secret1" }, { username = "ann@example.org", password = "secret1" }

    before_each(function()
        rig = service_rig.new()
        rig:start({ email = {} })
        rig:call("POST", EMAIL .. "register", account)
    end)
    after_each(function() rig:stop() end)

    local function try(peer, password, name)
        return rig:log_in("local-userpass", { username = name or account.email, password = password }, { peer = peer })
    end

    it("is slowed down where it comes from, and locks nobody else out", function()
        for i = 1, 10 do assert.equal(401, try("198.51.100.1", "wrong" .. i).status) end
        local refused = try("198.51.100.1", "wrong")
        assert.equal(429, refused.status)
        assert.equal("30", refused.headers["Retry-After"])
        assert.equal(429, try("198.51.100.1", "secret1").status)
        assert.equal(200, try("192.0.2.7", "secret1").status)
        rig.tick = rig.tick + 30
        assert.equal(200, try("198.51.100.1", "secret1").status)
    end)

    it("from everywhere makes strangers wait, whose right password still counts, but not who was here before", function()
        assert.equal(200, try("192.0.2.7", "secret1").status)
        for i = 1, 40 do assert.equal(401, try("198.51.100." .. i, "wrong").status) end
        local before = rig.tick
        assert.equal(200, try("192.0.2.7", "secret1").status)
        assert.equal(before, rig.tick)
        assert.equal(200, try("203.0.113.9", "secret1").status)
        assert.equal(before + limits.DELAY, rig.tick)
        local warnings = 0
        for _, line in ipairs(rig.logs) do
            if line:match("^warning many wrong passwords") then warnings = warnings + 1 end
        end
        assert.equal(1, warnings)
    end)

    it("cannot be done many at once by one address", function()
        for i = 1, 40 do try("198.51.100." .. i, "wrong") end
        local answers = {}
        for i = 1, 10 do
            rig:ask("POST", A .. "/auth/providers/local-userpass/login", { username = account.email, password = "w" .. i }, nil,
                { peer = "203.0.113.50" }, function(answer) answers[#answers + 1] = answer.status end)
        end
        assert.same({ 429, 429, 429, 429, 429, 429 }, answers)
        while #rig.timers > 0 do rig:pass() end
        assert.equal(10, #answers)
    end)

    it("of many accounts is limited by address, but not for who was here before", function()
        assert.equal(200, try("198.51.100.1", "secret1").status)
        for i = 1, 50 do assert.equal(401, try("198.51.100.1", "wrong", ("user%d@example.org"):format(i)).status) end
        assert.equal(429, try("198.51.100.1", "wrong", "other@example.org").status)
        assert.equal(200, try("198.51.100.1", "secret1").status)
    end)

    it("counts a customer's whole IPv6 network as one", function()
        for i = 1, 10 do assert.equal(401, try("2001:db8:1:2::" .. i, "wrong").status) end
        assert.equal(429, try("2001:db8:1:2:ffff::1", "wrong").status)
        assert.equal(401, try("2001:db8:1:3::1", "wrong").status)
    end)

    it("is counted by a clock that never jumps", function()
        for _ = 1, 11 do try("198.51.100.1", "wrong") end
        rig.now, rig.tick = rig.now - 86400, rig.tick + 86400
        assert.equal("30", try("198.51.100.1", "wrong").headers["Retry-After"])
    end)

    it("does not win by changing the password while a try is checked", function()
        local check = rig.app.passwords.check
        rig.app.passwords.check = function(...)
            local good = check(...)
            rig.app.directory:update_password(account.email, { hash = rig.app.passwords:hash("changed") })
            return good
        end
        assert.equal(401, rig:log_in("local-userpass", right).status)
    end)
end)

describe("mails", function()
    local rig
    before_each(function() rig = service_rig.new() end)
    after_each(function() rig:stop() end)

    it("to one address are few, whoever asks for them", function()
        rig:start({ email = {} })
        rig:call("POST", EMAIL .. "register", { email = "a@b.c", password = "secret1" })
        local statuses = {}
        for i = 1, 60 do
            local answer = rig:call("POST", EMAIL .. "reset/send", { email = "A@b.c" }, nil, { peer = "198.51.100." .. i })
            statuses[answer.status] = (statuses[answer.status] or 0) + 1
        end
        assert.same({ [200] = 3, [429] = 57 }, statuses)
        assert.equal(3, #rig.mails)
        rig.tick = rig.tick + 600
        assert.equal(200, rig:call("POST", EMAIL .. "reset/send", { email = "a@b.c" }).status)
    end)

    it("without a hook leave no secret in the log", function()
        rig:start({ email = {}, no_hook = true })
        rig:call("POST", EMAIL .. "register", { email = "a@b.c", password = "secret1" })
        assert.equal(200, rig:call("POST", EMAIL .. "reset/send", { email = "a@b.c" }).status)
        local log = table.concat(rig.logs, "\n")
        assert.not_matches("token", log)
        assert.not_matches(("%x"):rep(32), log)
        assert.matches("syncline user link", log, 1, true)
    end)
end)

describe("a discreet app", function()
    local rig
    local verdict

    local function start(config)
        config.discreet = true
        config.confirm_function = function(facts) return verdict(facts) end
        config.reset_function = config.reset_function or config.confirm_function
        rig:start({ email = config, limits = { mail = false, wrong = { burst = 1000, every = 1 } } })
        -- Accounts as they can be: confirmed, and waiting.
        rig.app.directory:register("there@b.c", rig.app.passwords:hash("secret1"), true)
        rig.app.directory:register("waits@b.c", rig.app.passwords:hash("secret1"), false)
    end

    before_each(function() rig, verdict = service_rig.new(), function() return "fail" end end)
    after_each(function() rig:stop() end)

    -- Status, body and time of the answer. The work itself takes time, more for an account.
    local function shown(action, body, address)
        local work = rig.app.directory.password
        rig.app.directory.password = function(self, email)
            local account = work(self, email)
            rig.tick = rig.tick + (account and 0.2 or 0.01)
            return account
        end
        body.email = address
        local before = rig.now + rig.tick
        local answer, at
        rig:ask("POST", EMAIL .. action, body, nil, { peer = "192.0.2.9" }, function(given)
            answer, at = given, rig.now + rig.tick
        end)
        while not answer do rig:pass() end
        rig.app.directory.password = work
        rig.timers = {}
        return ("%d %s after %.2f s"):format(answer.status, (answer.body:gsub(address, "ADDRESS", 1)), at - before)
    end

    local function alike(action, body)
        local free = shown(action, body, "free@b.c")
        assert.equal(free, shown(action, body, "there@b.c"), action)
        assert.equal(free, shown(action, body, "waits@b.c"), action)
    end

    it("answers alike whether there is an account or not, and after the same time", function()
        for _, mode in ipairs({ "auto", "email", "function" }) do
            start({ confirm = mode })
            for _, answer in ipairs({ "fail", "pending", "success" }) do
                verdict = function() return answer end
                alike("confirm/send", {})
                alike("confirm/call", {})
                alike("reset/send", {})
                alike("reset/call", { password = "secret2", arguments = { "x" } })
                rig.app.directory:update_password("waits@b.c", { confirmed = false })
            end
            rig.service:close()
            require("support.process").run("rm -f " .. rig.folder .. "/*")
        end
        start({ confirm = "email" })
    end)

    it("answers registrations alike, and log-ins of accounts that wait", function()
        for _, mode in ipairs({ "email", "function" }) do
            start({ confirm = mode })
            for _, answer in ipairs({ "fail", "pending" }) do
                verdict = function() return answer end
                alike("register", { password = "secret9" })
                rig.app.directory:unregister("free@b.c")
            end
            local function try(name)
                return rig:log_in("local-userpass", { username = name, password = "secret1" }).body
            end
            assert.equal(try("free@b.c"), try("waits@b.c"))
            rig.service:close()
            require("support.process").run("rm -f " .. rig.folder .. "/*")
        end
        start({ confirm = "email" })
    end)

    it("sends mails after it has answered, and tells hooks when nobody is behind an address", function()
        start({ confirm = "email" })
        local answered
        rig:ask("POST", EMAIL .. "reset/send", { email = "there@b.c" }, nil, nil, function() answered = true end)
        assert.equal(0, #rig.mails)
        while not answered or #rig.timers > 0 do rig:pass() end
        assert.equal(1, #rig.mails)
        local known = {}
        verdict = function(facts)
            known[facts.email] = facts.known
            return "success"
        end
        for _, address in ipairs({ "there@b.c", "free@b.c" }) do
            assert.equal(200, rig:call("POST", EMAIL .. "reset/call", { email = address, password = "secret5" }).status)
        end
        assert.same({ ["there@b.c"] = true, ["free@b.c"] = false }, known)
        assert.equal(200, rig:log_in("local-userpass", { username = "there@b.c", password = "secret5" }).status)
        assert.equal(401, rig:log_in("local-userpass", { username = "free@b.c", password = "secret5" }).status)
    end)
end)

describe("addresses of clients", function()
    local trusted = addresses.ranges({ "10.0.0.0/8", "192.0.2.1", "2001:db8::/33", "::1" })

    it("are read in every form", function()
        for text, bytes in pairs({
            ["1.2.3.4"] = "\1\2\3\4", ["1.2.3.4:80"] = "\1\2\3\4", ["::ffff:1.2.3.4"] = "\1\2\3\4",
            ["[::1]:80"] = ("\0"):rep(15) .. "\1", ["fe80::1%eth0"] = "\254\128" .. ("\0"):rep(13) .. "\1",
            ["1:2:3:4:5:6:7:8"] = "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\8", ["::"] = ("\0"):rep(16),
        }) do
            assert.equal(bytes, addresses.read(text), text)
        end
        for _, text in ipairs({ "", "1.2.3", "1.2.3.256", "1:2", "1::2::3", "1:2:3:4:5:6:7:8:9", "unknown", "g::1", "1.2.3.4.5",
            ("1"):rep(100) }) do
            assert.is_nil(addresses.read(text), text)
        end
        assert.equal(addresses.place("2001:db8::1"), addresses.place("2001:db8::ffff:2"))
        assert.not_equal(addresses.place("2001:db8::1"), addresses.place("2001:db8:0:1::1"))
        assert.is_nil(addresses.ranges({ "10.0.0.0/40" }))
        assert.is_nil(addresses.ranges({ "proxy.example" }))
    end)

    it("come from trusted proxies only, and from the last one that is not", function()
        local function client(peer, forwarded) return addresses.client(peer, forwarded, trusted) end
        assert.equal("203.0.113.5", client("203.0.113.5", "198.51.100.1"))
        assert.equal("198.51.100.1", client("10.1.2.3", "198.51.100.1"))
        assert.equal("198.51.100.1", client("10.1.2.3", "1.1.1.1, 198.51.100.1, 10.9.9.9"))
        assert.equal("198.51.100.1", client("::ffff:10.1.2.3", "198.51.100.1:4711"))
        assert.equal("2001:db9::7", client("::1", "[2001:db9::7]:80"))
        assert.equal("10.1.2.3", client("10.1.2.3", "no-address"))
        assert.equal("10.1.2.3", client("10.1.2.3", nil))
        assert.equal("10.4.4.4", client("10.1.2.3", "10.4.4.4"))
        assert.equal("198.51.100.1", client("2001:db8:7fff::1", "198.51.100.1"))
        assert.equal("2001:db8:8000::1", client("2001:db8:8000::1", "198.51.100.1"))
    end)
end)

describe("the limits of a server", function()
    it("are checked", function()
        assert.same({ burst = 5, every = 600 }, limits.check({ mail = { burst = 5, every = "10m" } }).mail)
        assert.is_false(limits.check({ log_in = false }).log_in)
        assert.has_error(function() limits.check({ logins = false }) end)
        assert.has_error(function() limits.check({ mail = { burst = 0, every = 1 } }) end)
        assert.has_error(function() limits.check({ mail = 5 }) end)
    end)

    it("let 10,000 devices in through one proxy that is trusted, and one noisy device out", function()
        local tick = 0
        local guard = limits.new(limits.check(), function() return tick end)
        local trusted, refused = addresses.ranges({ "10.0.0.1" }), { crowd = 0, noisy = 0 }
        for i = 1, 10000 do
            tick = tick + 0.001
            local device = ("100.64.%d.%d"):format(math.floor(i / 256), i % 256)
            if guard:take("log_in", addresses.place(addresses.client("10.0.0.1", "1.1.1.1, " .. device, trusted))) then
                refused.crowd = refused.crowd + 1
            end
            if guard:take("log_in", addresses.place(addresses.client("10.0.0.1", "203.0.113.1", trusted))) then
                refused.noisy = refused.noisy + 1
            end
        end
        assert.equal(0, refused.crowd)
        assert.is_true(refused.noisy > 9700)
    end)
end)
