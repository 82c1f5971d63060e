-- Keys of somebody else's issuer, and how large the requests of a server may be.
local auth = require("syncline.auth")
local core = require("syncline.core")
local key_source = require("syncline.services.key_source")
local loop = require("syncline.loop")
local process = require("support.process")
local Server = require("syncline.server")
local services = require("syncline.services")
local support = require("support.service")

local json = core.json

local LOGIN = "/api/client/v2.0/app/notes/auth/providers/custom-token/login"
local NOW = 1700000000

local function url_encoded(bytes)
    return (auth.base64_encode(bytes):gsub("+", "-"):gsub("/", "_"):gsub("=", ""))
end

-- A new RSA or P-256 key: PEM text of the private half, PEM text of the public one.
local function pem_pair(folder, kind)
    local generate = kind == "rsa" and "openssl genrsa 2048" or "openssl ecparam -genkey -noout -name prime256v1"
    assert(process.run(("%s 2>/dev/null | openssl pkcs8 -topk8 -nocrypt >%s/k.pem; openssl pkey -in %s/k.pem -pubout >%s/p.pem")
        :format(generate, folder, folder, folder)) == 0)
    return process.read_file(folder .. "/k.pem"), process.read_file(folder .. "/p.pem")
end

-- The public key as a JSON Web Key; a P-256 SubjectPublicKeyInfo ends with x and y.
local function jwk_of(folder, kid)
    process.run(("openssl pkey -pubin -in %s/p.pem -outform DER >%s/p.der"):format(folder, folder))
    local der = process.read_file(folder .. "/p.der")
    return { kty = "EC", crv = "P-256", alg = "ES256", use = "sig", kid = kid, x = url_encoded(der:sub(-64, -33)),
        y = url_encoded(der:sub(-32)) }
end

describe("keys of an issuer", function()
    local folder, now, calls, logs

    before_each(function()
        folder, now, calls, logs = process.folder(), NOW, {}, {}
    end)
    after_each(function() process.remove_folder(folder) end)

    local function open(settings)
        return key_source.open(settings, {
            id = "notes", clock = function() return now end,
            log = function(level, message) logs[#logs + 1] = level .. " " .. message end,
            fetch = function(options)
                calls[#calls + 1] = options
                return {}
            end,
        })
    end

    local function token(kid, pem)
        local key = assert(auth.key({ alg = "ES256", kid = kid, pem = pem }))
        return auth.sign({ sub = "ann", aud = "notes", iat = now, exp = now + 60 }, key)
    end

    local function answer(keys, headers, status)
        calls[#calls].on_done({ status = status or 200, headers = headers or {}, body = json.encode({ keys = json.array(keys) }) })
    end

    it("log users in by a key file and by a JWKS file, until the service is closed", function()
        for _, form in ipairs({ "pem_file", "jwks_file" }) do
            local private = pem_pair(folder, "ec")
            local settings = { jwks_file = folder .. "/set.json" }
            if form == "pem_file" then
                settings = { keys = { { alg = "ES256", kid = "one", pem_file = folder .. "/p.pem" } } }
            else
                process.write_file(folder .. "/set.json", json.encode({ keys = json.array({ jwk_of(folder, "one") }) }))
            end
            process.run("mkdir -p " .. folder .. "/" .. form)
            local service = assert(services.open({
                apps = { notes = { jwt = settings } }, directory = folder .. "/" .. form,
                keyring = support.keyring({ alg = "HS256", kid = "own", secret = ("k"):rep(32) }),
                base_url = "https://sync.example.net", clock = function() return now end,
            }))
            local function log_in(text)
                local status
                service:handle({ method = "POST", path = LOGIN, query = {}, headers = {}, peer = "192.0.2.1",
                    body = json.encode({ token = text }) }, function(given) status = given.status end)
                return status
            end
            assert.equal(200, log_in(token("one", private)))
            local other = pem_pair(folder, "ec")
            assert.equal(401, log_in(token("one", other)))
            service:close()
        end
    end)

    it("are named when they cannot be read", function()
        local function refused(settings, text)
            local source, message = open(settings)
            assert.is_nil(source)
            assert.matches(text, message, 1, true)
        end
        refused({}, "keys, jwks_file or jwks_url expected")
        refused({ keys = { { alg = "RS256", pem_file = folder .. "/none.pem" } } }, "keys[1]: ")
        refused({ keys = { { alg = "none" } } }, "keys[1]: ")
        refused({ jwks_file = folder .. "/none.json" }, "none.json")
        process.write_file(folder .. "/bad.json", "{")
        refused({ jwks_file = folder .. "/bad.json" }, "bad.json")
        refused({ jwks_url = "http://example.org/keys" }, "https URL expected")
        for _, host in ipairs({ "localhost", "127.0.0.1", "10.1.2.3", "192.168.0.1:8443", "172.20.0.1", "169.254.169.254", "[::1]" }) do
            refused({ jwks_url = "https://" .. host .. "/keys" }, "private address")
        end
    end)

    it("are fetched at the start and stay when a later answer is of no use", function()
        local private = pem_pair(folder, "ec")
        local source = assert(open({ jwks_url = "https://issuer.example.org/keys" }))
        assert.equal(1, #calls)
        assert.is_true(calls[1].public_only)
        assert.equal(0, #source:for_token(token("one", private)))
        assert.equal(1, #calls)
        local open_secret = { kty = "oct", alg = "HS256", kid = "bad", k = url_encoded(("s"):rep(32)) }
        answer({ jwk_of(folder, "one"), open_secret }, { ["cache-control"] = "public, max-age=600" })
        assert.equal(1, #source:for_token(token("one", private)))
        now = now + 601
        assert.equal(1, #source:for_token(token("one", private)))
        assert.equal(2, #calls)
        answer({}, {}, 500)
        assert.equal(1, #source:for_token(token("one", private)))
        assert.equal(2, #calls)
        now = now + 61
        source:for_token(token("one", private))
        assert.equal(3, #calls)
        calls[3].on_done(nil, "no connection", "network")
        assert.equal(1, #source.keys)
        assert.equal(2, #logs - 1)
    end)

    it("are asked for again for an unknown kid, at most once a minute", function()
        local private = pem_pair(folder, "ec")
        local source = assert(open({ jwks_url = "https://issuer.example.org/keys" }))
        answer({ jwk_of(folder, "one") })
        source:for_token(token("two", private))
        assert.equal(1, #calls)
        now = now + 61
        for _ = 1, 5 do source:for_token(token("two", private)) end
        assert.equal(2, #calls)
        answer({ jwk_of(folder, "two") })
        assert(auth.verify(token("two", private), source:for_token(token("two", private)), { now = now, audience = "notes" }))
        source:for_token("rubbish")
        source:for_token("a.b.c")
        assert.equal(2, #calls)
        source:close()
        now = now + 100000
        source:for_token(token("two", private))
        assert.equal(2, #calls)
    end)
end)

describe("bodies of requests to a server", function()
    local folder, server

    before_each(function()
        folder = process.folder()
        server = assert(Server.start({ port = 0, tls = false, storage = folder .. "/s", log = { level = "off" },
            apps = { notes = { anonymous = true, functions = { size = function(_, args) return #args[1] end } } } }))
    end)
    after_each(function()
        server:close()
        process.remove_folder(folder)
    end)

    local function send(path, size, token)
        local result
        local body = json.encode({ name = "size", arguments = json.array({ ("x"):rep(size - 100) }) })
        assert(loop.get():request({ url = server:url() .. "/api/client/v2.0" .. path, method = "POST", body = body,
            headers = { Authorization = token and "Bearer " .. token }, on_done = function(...) result = { ... } end }))
        assert(loop.run(function() return result ~= nil end, 20))
        return result[1] and result[1].status or result[2], result[1]
    end

    it("have a limit for each kind of request", function()
        local _, login = send("/app/notes/auth/providers/anon-user/login", 60000)
        local token = json.decode(login.body).access_token
        assert.equal(413, (send("/app/notes/auth/providers/anon-user/login", 66000)))
        assert.equal(200, (send("/app/notes/functions/call", 1000000, token)))
        assert.equal(413, (send("/app/notes/functions/call", 1050000, token)))
        assert.equal(413, (send("/auth/api_keys", 17000, token)))
        assert.not_equal(413, (send("/auth/api_keys", 16000, token)))
    end)
end)

describe("a server that fetches an issuer's keys", function()
    it("asks the URL over TLS and lets the issuer's users in", function()
        local folder = process.folder()
        local private = pem_pair(folder, "ec")
        local set = json.encode({ keys = json.array({ jwk_of(folder, "one") }) })
        process.run("mkdir " .. folder .. "/tls")
        local cert, key = core.net.certificate(folder .. "/tls")
        local issuer = assert(loop.get():listen({ host = "127.0.0.1", port = 0, tls = { cert = cert, key = key },
            on_request = function(request)
                request:respond({ status = 200, headers = { ["Cache-Control"] = "max-age=600" }, body = set })
            end }))
        local url = ("https://localhost:%d/keys"):format(issuer:port())
        local server = assert(Server.start({ port = 0, tls = false, storage = folder .. "/s", log = { level = "off" },
            apps = { notes = { jwt = { jwks_url = url, ca_file = cert, allow_private = true } } } }))
        finally(function()
            server:close()
            issuer:close()
            process.remove_folder(folder)
        end)
        local source = server.services.apps.notes.custom_keys
        assert(loop.run(function() return #source.keys == 1 end, 10))
        local now = os.time()
        local token = auth.sign({ sub = "ann", aud = "notes", iat = now, exp = now + 60 },
            assert(auth.key({ alg = "ES256", kid = "one", pem = private })))
        local app = assert(require("syncline.app").new({ id = "notes", base_url = server:url() }))
        local user = assert(app:log_in({ provider = "jwt", token = token }))
        assert.equal(24, #user.id)
        local other = pem_pair(folder, "ec")
        local forged = auth.sign({ sub = "ann", aud = "notes", iat = now, exp = now + 60 },
            assert(auth.key({ alg = "ES256", kid = "one", pem = other })))
        assert.is_nil((app:log_in({ provider = "jwt", token = forged })))
    end)

    it("looks at the address that a name leads to", function()
        local folder = process.folder()
        process.run("mkdir " .. folder .. "/tls")
        local cert, key = core.net.certificate(folder .. "/tls")
        local asked = 0
        local issuer = assert(loop.get():listen({ host = "127.0.0.1", port = 0, tls = { cert = cert, key = key },
            on_request = function(request)
                asked = asked + 1
                request:respond({ status = 200, body = "here" })
            end }))
        finally(function()
            issuer:close()
            process.remove_folder(folder)
        end)
        local function try(host, public_only)
            local result
            assert(loop.get():request({ url = ("https://%s:%d/keys"):format(host, issuer:port()), tls = { ca = cert },
                public_only = public_only, timeout = 5, on_done = function(...) result = { ... } end }))
            assert(loop.run(function() return result ~= nil end, 10))
            return result[1], result[2]
        end
        for _, host in ipairs({ "localhost", "127.0.0.1" }) do -- looked up, and literal
            local answer, message = try(host, true)
            assert.is_nil(answer)
            assert.matches("private addresses only", message, 1, true)
            assert.equal("here", try(host, false).body)
        end
        assert.equal(2, asked)
        -- A name of the configuration that leads here is not asked either, unless that is admitted.
        local logs = {}
        local source = assert(key_source.open({ jwks_url = ("https://localhost.:%d/keys"):format(issuer:port()), ca_file = cert }, {
            id = "notes", clock = os.time, fetch = function(options) return loop.get():request(options) end,
            log = function(_, _, facts) logs[#logs + 1] = facts.reason end,
        }))
        assert(loop.run(function() return #logs > 0 end, 10))
        assert.equal(2, asked)
        source:close()
    end)
end)
