-- A server that cannot be reached: the reason comes at once, and not "the time is up" at the end.
local process = require("support.process")
local syncline = require("syncline")

describe("a server that cannot be reached", function()
    local folder, server, realms, port

    local function start(options)
        options = options or {}
        options.port, options.storage, options.log = port or 0, folder .. "/server", { level = "off" }
        server = assert(syncline.server.start(options))
        port = tonumber(server:url():match(":(%d+)$"))
    end

    before_each(function()
        folder, realms, port = process.folder(), {}, nil
        start()
    end)
    after_each(function()
        for _, realm in ipairs(realms) do realm:close() end
        if server then server:close() end
        process.remove_folder(folder)
    end)

    local function stop()
        server:close()
        server = nil
        syncline.step(0) -- its socket goes with the loop's next turn
    end

    local told
    local function sync(change)
        told = {}
        local options = { url = ("wss://localhost:%d"):format(port), partition = "a", token = "t",
            ca_file = folder .. "/server/tls/cert.pem", on_error = function(problem) told[#told + 1] = problem end }
        for name, value in pairs(change or {}) do options[name] = value end
        return options
    end

    local function open(change)
        local realm = assert(syncline.open({ sync = sync(change) }))
        realms[#realms + 1] = realm
        return realm
    end

    -- nil, message, code long before the time is up.
    local function expect(code, text, ok, message, got)
        assert.is_nil(ok)
        assert.equal(code, got)
        assert.matches(text, message)
    end

    it("is named with its reason in every wait, and in on_error once", function()
        local log = {}
        stop()
        local realm = open({ on_log = function(_, line) log[#log + 1] = line end })
        assert(realm:update_schema({ { name = "Item", properties = { n = "int" } } }))
        for _ = 1, 2 do
            expect("connect", "cannot reach wss://localhost:%d+: .*refused; is the server running",
                realm:sync_session():wait_for_download(300))
            expect("connect", "refused", realm:sync_session():wait_for_upload(300))
        end
        expect("connect", "refused", realm:transact(function() end, { timeout = 300 }))
        local before = told
        local tier = open({ subserver = true })
        expect("connect", "refused", tier:sync_session():allocate(300))
        tier:close()
        told = before
        local outcome
        realm:transact_async(function() end, function(...) outcome = { ... } end, { timeout = 300 })
        assert(syncline.run(function() return outcome end, 60))
        expect("connect", "refused", outcome[1], outcome[2], outcome[3])
        assert.equal(1, #told)
        assert.is_true(told[1].try_again)
        assert.matches("refused", log[1])
        realm = syncline.open_async({ sync = sync(), timeout = 300, path = folder .. "/b.realm" })
        assert.is_nil(realm)
    end)

    it("is told when it is the name or the certificate that is wrong", function()
        expect("resolve", "host nowhere.invalid is not known", open({ url = "wss://nowhere.invalid:1" }):sync_session()
            :wait_for_download(300))
        expect("tls", "certificate.*ca_file", open({ ca_file = "/etc/ssl/certs/ca-certificates.crt" }):sync_session()
            :wait_for_download(300))
        local app = assert(syncline.app({ id = "a", base_url = "https://nowhere.invalid:1", path = false, timeout = 300 }))
        local user, message = app:log_in({ provider = "anonymous" })
        assert.is_nil(user)
        assert.matches("cannot reach https://nowhere.invalid:1: .*not known", message)
    end)

    it("is waited for when that is asked for, and when there was a connection before", function()
        local token = server:token("default", "u", 3600)
        stop()
        local realm = open({ token = token })
        assert.is_nil(realm:sync_session():wait_for_download(300))
        syncline.loop.get():timer(0, function() start() end)
        assert.is_true(realm:sync_session():wait_for_download(60, { keep_trying = true }))
        stop()
        assert(syncline.run(function() return realm:sync_session():connection_state() ~= "connected" end, 20))
        syncline.loop.get():timer(0.2, function() start() end)
        assert.is_true(realm:sync_session():wait_for_download(60))
    end)

    it("ends a command with the reason", function()
        stop()
        local status, _, err = process.syncline(("client --path %s/c.realm --url wss://localhost:%d --partition a --token t")
            :format(folder, port))
        assert.equal(1, status)
        assert.matches("\nsyncline: cannot reach wss://localhost:%d+: .*refused; is the server running", err)
    end)
end)
