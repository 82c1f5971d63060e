-- A running server behind a proxy: whose log-ins are counted as whose.
local loop = require("syncline.loop")
local process = require("support.process")
local Server = require("syncline.server")

describe("a server behind a proxy", function()
    local folder, server

    local function start(options)
        options.port, options.tls, options.storage, options.log = 0, false, folder .. "/server", { level = "off" }
        options.limits = { log_in = { burst = 2, every = 3600 } }
        server = assert(Server.start(options))
    end

    local function log_in(forwarded)
        local status
        assert(loop.get():request({
            url = server:url() .. "/api/client/v2.0/app/default/auth/providers/anon-user/login", method = "POST", body = "{}",
            headers = { ["X-Forwarded-For"] = forwarded },
            on_done = function(answer, message) status = answer and answer.status or message end,
        }))
        assert(loop.run(function() return status ~= nil end, 20))
        return status
    end

    local function statuses(list)
        local out = {}
        for i, forwarded in ipairs(list) do out[i] = log_in(forwarded) end
        return out
    end

    before_each(function() folder = process.folder() end)
    after_each(function()
        server:close()
        process.remove_folder(folder)
    end)

    it("that it trusts counts each device by itself", function()
        start({ trusted_proxies = { "127.0.0.0/8", "::1" } })
        assert.same({ 200, 200, 200, 200, 429, 429, 200 }, statuses({ "203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.113.2",
            "203.0.113.1", "198.51.100.7, 203.0.113.2", "203.0.113.3" }))
    end)

    it("that nobody named believes nothing it says", function()
        start({})
        assert.same({ 200, 200, 429 }, statuses({ "203.0.113.1", "203.0.113.2", "203.0.113.3" }))
    end)

    it("says what is wrong with its options", function()
        start({})
        local ok, message = pcall(Server.start, { trusted_proxies = { "the-proxy" } })
        assert.is_false(ok)
        assert.matches("'the-proxy' is neither an address nor a range", message, 1, true)
        ok, message = pcall(Server.start, { limits = { login = false } })
        assert.is_false(ok)
        assert.matches("limits: there is no 'login'", message)
    end)
end)
