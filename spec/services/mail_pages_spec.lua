-- Accounts without a password, the pages that mails lead to, and identities that were kept from elsewhere.
local auth = require("syncline.auth")
local http = require("syncline.services.http")
local json = require("syncline.core").json
local loop = require("syncline.loop")
local operations = require("syncline.server.operations")
local process = require("support.process")
local services = require("syncline.services")
local support = require("support.service")

local A = "/api/client/v2.0/app/notes"
local ID = "65a1b2c3d4e5f60718293a4b"

describe("accounts that come without a password", function()
    local folder, service, target, mails, now

    local function start(config)
        mails, now = {}, 1700000000
        config.scrypt = { log_n = 10, r = 8, p = 1 }
        service = assert(services.open({
            apps = { notes = config }, directory = folder, base_url = "https://sync.example.net",
            keyring = support.keyring({ alg = "HS256", kid = "k", secret = ("k"):rep(32) }), clock = function() return now end,
            mail = function(mail) mails[#mails + 1] = mail end,
        }))
        target = operations.on_storage(service, folder, {})
    end

    local function call(method, path, query, body)
        local answer
        service:handle({ method = method, path = path, query = query or {}, headers = {}, body = body or "", peer = "192.0.2.1" },
            function(given) answer = given end)
        assert(loop.run(function() return answer ~= nil end, 20))
        return answer
    end

    local function log_in(provider, credential)
        return call("POST", A .. "/auth/providers/" .. provider .. "/login", {}, json.encode(credential))
    end

    local function send(purpose)
        local sent = call("POST", A .. "/auth/providers/local-userpass/" .. purpose .. "/send", {}, '{"email":"ann@example.org"}')
        assert.equal(200, sent.status)
        local path, query = mails[#mails].link:match("^https://sync%.example%.net(/[^?]*)%?(.*)$")
        return path, http.form(query), query
    end

    before_each(function() folder = process.folder() end)
    after_each(function()
        service:close()
        process.remove_folder(folder)
    end)

    it("cost no hash, and no password opens them", function()
        start({ email = true })
        local hashed, passwords = 0, service.apps.notes.passwords
        local hash = passwords.hash
        passwords.hash = function(...)
            hashed = hashed + 1
            return hash(...)
        end
        assert(target:create_user("notes", { email = "ann@example.org", id = ID }))
        assert.equal(0, hashed)
        assert(target:create_user("notes", { email = "bob@example.org", password = "secret1" }))
        assert.equal(1, hashed)
        for _, password in ipairs({ "", "secret1", "null" }) do
            assert.equal(401, log_in("local-userpass", { username = "ann@example.org", password = password }).status)
        end
        assert.equal(200, log_in("local-userpass", { username = "bob@example.org", password = "secret1" }).status)
    end)

    it("get their password on the page that the reset mail leads to", function()
        start({ email = true })
        assert(target:create_user("notes", { email = "ann@example.org", id = ID }))
        local path, query, text = send("reset")
        assert.equal("/app/notes/reset", path)
        for _ = 1, 2 do -- whoever opens it without pressing the button changes nothing
            local page = call("GET", path, query)
            assert.equal(200, page.status)
            assert.matches("^text/html", page.headers["Content-Type"])
            assert.matches("no%-referrer", page.headers["Referrer-Policy"])
            assert.matches("frame%-ancestors 'none'", page.headers["Content-Security-Policy"])
            assert.truthy(page.body:find(('value="%s"'):format(query.token), 1, true))
        end
        local function submit(password, again)
            return call("POST", path, {}, ("%s&password=%s&again=%s"):format(text, password, again or password))
        end
        local answer = submit("one-password", "another")
        assert.equal(400, answer.status)
        assert.matches("two different passwords", answer.body)
        answer = submit("short")
        assert.equal(400, answer.status)
        assert.matches("between 6 and 128", answer.body)
        answer = submit("p%26ss+w%C3%B6rd")
        assert.equal(200, answer.status)
        assert.matches("Your password is set", answer.body)
        local login = log_in("local-userpass", { username = "ann@example.org", password = "p&ss wörd" })
        assert.equal(200, login.status)
        assert.equal(ID, json.decode(login.body).user_id)
        answer = submit("once-more")
        assert.equal(400, answer.status)
        assert.matches("used already", answer.body)
    end)

    it("are confirmed by a button, not by opening the link", function()
        start({ email = { confirm = "email" } })
        call("POST", A .. "/auth/providers/local-userpass/register", {}, '{"email":"ann@example.org","password":"secret1"}')
        local path, query, text = send("confirm")
        assert.equal("/app/notes/confirm", path)
        assert.equal(200, call("GET", path, query).status)
        assert.equal(401, log_in("local-userpass", { username = "ann@example.org", password = "secret1" }).status)
        assert.equal(200, call("POST", path, {}, text).status)
        assert.equal(200, log_in("local-userpass", { username = "ann@example.org", password = "secret1" }).status)
    end)

    it("have pages of the app's own where the configuration names them, and none where there are no passwords", function()
        start({ email = { reset_url = "https://app.example.org/new-password" } })
        assert(target:create_user("notes", { email = "ann@example.org" }))
        call("POST", A .. "/auth/providers/local-userpass/reset/send", {}, '{"email":"ann@example.org"}')
        assert.matches("^https://app%.example%.org/new%-password%?token=%x+&tokenId=%x+$", mails[1].link)
        service:close()
        start({ anonymous = true })
        assert.equal(404, call("GET", "/app/notes/reset", { token = "00", tokenId = "00" }).status)
        assert.equal(404, call("GET", "/app/other/reset").status)
    end)

    it("show nothing that a link brings along", function()
        start({ email = true })
        for _, query in ipairs({ {}, { token = "00" }, { token = '"><script>', tokenId = "00" }, { token = "00", tokenId = "<b>" } }) do
            local page = call("GET", "/app/notes/reset", query)
            assert.equal(400, page.status)
            assert.not_matches("script", page.body)
            assert.not_matches("<b>", page.body)
        end
    end)

    it("keep identities of other services, which an issuer's tokens may stand for", function()
        local theirs = assert(auth.key({ alg = "HS256", kid = "t", secret = ("t"):rep(32) }))
        start({ jwt = { keys = { theirs }, audience = "client-of-google", identity = "google" } })
        local user = assert(target:create_user("notes", { id = ID, data = { email = "ann@example.org", name = "Ann" },
            identities = { { provider = "google", id = "1088" }, { provider = "apple", id = "0012.ab" } } }))
        assert.equal("ann@example.org", user.email)
        assert.equal("Ann", user.data.name)
        assert.equal("google", user.identities[1].provider)
        assert.equal("apple", user.identities[2].provider)
        local token = auth.sign({ sub = "1088", aud = "client-of-google", exp = now + 60 }, theirs)
        assert.equal(ID, json.decode(log_in("custom-token", { token = token }).body).user_id)
        assert.equal("exists", select(3, target:create_user("notes", { identities = { { provider = "google", id = "1088" } } })))
        for _, bad in ipairs({ { provider = "custom-token", id = "x" }, { provider = "google" }, { provider = "google", id = 5 }, 5 }) do
            assert.equal("invalid", select(3, target:create_user("notes", { identities = { bad } })))
        end
    end)
end)
