local auth = require("syncline.auth")
local json = require("syncline.core").json
local permissions = require("syncline.services.permissions")
local limiter = require("syncline.services.limiter")
local service_rig = require("support.service")

local A, B, EMAIL = service_rig.A, service_rig.B, service_rig.EMAIL

describe("the App Services client API", function()
    local rig

    local function start(config) rig:start(config) end
    local function call(...) return rig:call(...) end
    local function log_in(...) return rig:log_in(...) end

    local function refused(answer, status, code, text)
        assert.equal(status, answer.status)
        assert.equal("application/json", answer.headers["Content-Type"])
        assert.equal(code, answer.value.error_code)
        if text then assert.equal(text, answer.value.error) end
    end

    before_each(function() rig = service_rig.new() end)
    after_each(function() rig:stop() end)

    it("tells clients where to go, with all four keys and without authentication", function()
        start({})
        local answer = call("GET", A .. "/location")
        assert.equal(200, answer.status)
        assert.same({
            deployment_model = "LOCAL",
            location = "LOCAL",
            hostname = "https://sync.example.net:9443",
            ws_hostname = "wss://sync.example.net:9443",
        }, answer.value)
        assert.equal("*", answer.headers["Access-Control-Allow-Origin"])
        refused(call("GET", B .. "/app/unknown/location"), 404, nil, "cannot find app using Client App ID 'unknown'")
    end)

    it("answers preflight requests and puts the origin on errors too", function()
        start({ origins = { "https://page.example" } })
        local preflight = call("OPTIONS", A .. "/functions/call", nil, nil, { origin = "https://page.example" })
        assert.equal(204, preflight.status)
        assert.equal("https://page.example", preflight.headers["Access-Control-Allow-Origin"])
        local other = call("POST", A .. "/functions/call", {}, nil, { origin = "https://evil.example" })
        assert.is_nil(other.headers["Access-Control-Allow-Origin"])
        assert.equal("Origin", other.headers.Vary)
    end)

    it("knows its paths and methods", function()
        start({})
        assert.equal(404, call("GET", B .. "/nothing").status)
        local wrong = call("PATCH", B .. "/auth/session")
        assert.equal(405, wrong.status)
        assert.equal("DELETE, POST", wrong.headers.Allow)
        assert.equal(200, call("GET", "//api/client/v2.0/app/app-x/location").status)
    end)

    it("rig.logs anonymous users in, with a profile and a refreshable session", function()
        start({ anonymous = true })
        local login = log_in("anon-user").value
        assert.truthy(login.user_id:match("^%x+$") and #login.user_id == 24 and #login.device_id == 24)
        local profile = call("GET", B .. "/auth/profile", nil, login.access_token).value
        assert.equal(login.user_id, profile.user_id)
        assert.equal("anon-user", profile.identities[1].provider_type)
        assert.same({}, profile.data)
        rig.now = rig.now + 10
        local fresh = call("POST", B .. "/auth/session", nil, login.refresh_token)
        assert.equal(201, fresh.status)
        assert.not_equal(login.access_token, fresh.value.access_token)
        assert.equal(204, call("DELETE", B .. "/auth/session", nil, login.refresh_token).status)
        refused(call("POST", B .. "/auth/session", nil, login.refresh_token), 401, "InvalidSession",
            "invalid session: failed to find refresh token")
        assert.equal(204, call("DELETE", B .. "/auth/session", nil, login.refresh_token).status)
    end)

    it("tells the two kinds of tokens apart, and apps, and time", function()
        start({ anonymous = true })
        local login = log_in("anon-user").value
        refused(call("POST", B .. "/auth/session", nil, login.access_token), 401, "InvalidSession")
        refused(call("GET", B .. "/auth/profile", nil, login.refresh_token), 401, "InvalidSession")
        refused(call("GET", B .. "/auth/profile"), 401, "MissingAuthReq")
        local foreign = auth.sign({ typ = "access", sub = login.user_id, aud = "app-y", iat = rig.now, exp = rig.now + 99 }, rig.key)
        refused(call("GET", B .. "/auth/profile", nil, foreign), 401, "InvalidSession")
        rig.now = rig.now + 31 * 60
        refused(call("GET", B .. "/auth/profile", nil, login.access_token), 401, "InvalidSession", "the token has expired")
    end)

    it("refuses providers that are switched off or unknown", function()
        start({})
        for _, provider in ipairs({ "anon-user", "local-userpass", "oauth2-google", "check" }) do
            refused(log_in(provider), 404, "AuthProviderNotFound",
                ("authentication via '%s' is unsupported"):format(provider))
        end
        refused(log_in("anon-user", "not json"), 400, "BadRequest")
    end)

    describe("email and password", function()
        local account = { email = "Ada@example.net", password = "secret1" }
        local credential = { username = "ada@EXAMPLE.net", password = "secret1" }

        it("registers, rig.logs in and gives the same user each time", function()
            start({ email = {} })
            assert.equal(201, call("POST", EMAIL .. "register", account).status)
            local first = log_in("local-userpass", credential).value
            local second = log_in("local-userpass", credential).value
            assert.equal(first.user_id, second.user_id)
            local profile = call("GET", B .. "/auth/profile", nil, first.access_token).value
            assert.same({ email = "Ada@example.net" }, profile.data)
            refused(call("POST", EMAIL .. "register", account), 409, "AccountNameInUse", "name already in use")
        end)

        it("checks addresses and passwords", function()
            start({ email = { min_password = 8 } })
            refused(call("POST", EMAIL .. "register", { email = "nobody", password = "secret123" }), 400, "BadRequest",
                "email invalid")
            refused(call("POST", EMAIL .. "register", { email = "a@b.c", password = "short" }), 400, "BadRequest",
                "password must be between 8 and 128 characters")
            refused(call("POST", EMAIL .. "register", { email = "a@b.c" }), 400, "MissingParameter",
                "'password' is a required string")
            assert.equal(201, call("POST", EMAIL .. "register", { email = "a@b.c", password = "šifrování" }).status)
            refused(log_in("local-userpass", { username = "a@b.c", password = "sifrovani" }), 401, "InvalidPassword",
                "unauthorized")
            refused(log_in("local-userpass", { username = "x@b.c", password = "sifrovani" }), 401, "InvalidPassword",
                "unauthorized")
        end)

        it("stores no password, and no token, in the file or the log", function()
            start({ email = {} })
            call("POST", EMAIL .. "register", account)
            local login = log_in("local-userpass", credential).value
            local files = assert(io.popen("cat " .. rig.folder .. "/*"))
            local content = files:read("*a")
            files:close()
            for _, secret in ipairs({ "secret1", login.access_token, login.refresh_token }) do
                assert.is_nil(content:find(secret, 1, true))
                assert.is_nil(table.concat(rig.logs, "\n"):find(secret, 1, true))
            end
        end)

        it("confirms by mail, once and in time", function()
            start({ email = { confirm = "email", confirm_url = "https://app.example/confirm" } })
            call("POST", EMAIL .. "register", account)
            refused(log_in("local-userpass", credential), 401, "AuthError")
            local mail = rig.mails[1]
            assert.equal("Ada@example.net", mail.to)
            assert.truthy(mail.link:find("^https://app%.example/confirm%?token=%x+&tokenId=%x+$"))
            refused(call("POST", EMAIL .. "confirm", { token = "zz", tokenId = "1" }), 400, "BadRequest", "invalid token data")
            refused(call("POST", EMAIL .. "confirm", { token = mail.token, tokenId = ("0"):rep(24) }), 400,
                "UserpassTokenInvalid")
            call("POST", EMAIL .. "confirm/send", { email = "ada@example.net" })
            rig.now = rig.now + 31 * 60
            refused(call("POST", EMAIL .. "confirm", { token = rig.mails[2].token, tokenId = rig.mails[2].token_id }), 400,
                "UserpassTokenInvalid")
            call("POST", EMAIL .. "confirm/send", { email = "ada@example.net" })
            local ticket = { token = rig.mails[3].token, tokenId = rig.mails[3].token_id }
            assert.equal(200, call("POST", EMAIL .. "confirm", ticket).status)
            refused(call("POST", EMAIL .. "confirm", ticket), 400, "UserpassTokenInvalid")
            assert.equal(200, log_in("local-userpass", credential).status)
            refused(call("POST", EMAIL .. "confirm/send", { email = "ada@example.net" }), 400, "UserAlreadyConfirmed")
            refused(call("POST", EMAIL .. "confirm/send", { email = "who@example.net" }), 404, "UserNotFound")
        end)

        it("asks the confirmation function", function()
            local verdict = "fail"
            start({ email = { confirm = "function", confirm_function = function() return verdict end } })
            refused(call("POST", EMAIL .. "register", account), 400, "BadRequest")
            verdict = "pending"
            assert.equal(201, call("POST", EMAIL .. "register", account).status)
            refused(log_in("local-userpass", credential), 401, "AuthError")
            verdict = "success"
            assert.equal(200, call("POST", EMAIL .. "confirm/call", { email = account.email }).status)
            assert.equal(200, log_in("local-userpass", credential).status)
        end)

        it("resets a password, which ends all sessions", function()
            start({ email = {} })
            call("POST", EMAIL .. "register", account)
            local login = log_in("local-userpass", credential).value
            assert.equal(200, call("POST", EMAIL .. "reset/send", { email = account.email }).status)
            local change = { password = "another1", token = rig.mails[1].token, tokenId = rig.mails[1].token_id }
            assert.equal(200, call("POST", EMAIL .. "reset", change).status)
            assert.equal(401, call("POST", B .. "/auth/session", nil, login.refresh_token).status)
            assert.equal(401, log_in("local-userpass", credential).status)
            assert.equal(200, log_in("local-userpass", { username = account.email, password = "another1" }).status)
            refused(call("POST", EMAIL .. "reset/call", { email = account.email, password = "another2", arguments = {} }),
                400, "BadRequest")
        end)
    end)

    it("makes API keys that log their owner in", function()
        start({ anonymous = true, api_key = true })
        local login = log_in("anon-user").value
        local made = call("POST", B .. "/auth/api_keys", { name = "my-key" }, login.refresh_token)
        assert.equal(201, made.status)
        local KEY = B .. "/auth/api_keys/" .. made.value._id
        assert.same({ { _id = made.value._id, name = "my-key", disabled = false } },
            call("GET", B .. "/auth/api_keys", nil, login.refresh_token).value)
        assert.equal(login.user_id, log_in("api-key", { key = made.value.key }).value.user_id)
        refused(call("POST", B .. "/auth/api_keys", { name = "my-key" }, login.refresh_token), 409, "APIKeyAlreadyExists")
        refused(call("POST", B .. "/auth/api_keys", { name = "no spaces" }, login.refresh_token), 400, "InvalidParameter")
        refused(call("POST", B .. "/auth/api_keys", {}, login.refresh_token), 400, nil, "'name' is a required string")
        assert.equal(204, call("PUT", KEY .. "/disable", nil, login.refresh_token).status)
        refused(log_in("api-key", { key = made.value.key }), 401, "AuthError")
        assert.equal(204, call("PUT", KEY .. "/enable", nil, login.refresh_token).status)
        local stranger = log_in("anon-user").value
        refused(call("GET", KEY, nil, stranger.refresh_token), 404, "APIKeyNotFound")
        assert.equal(204, call("DELETE", KEY, nil, login.refresh_token).status)
        refused(log_in("api-key", { key = made.value.key }), 401, "AuthError")
        refused(log_in("api-key", { key = "" }), 401, "AuthError")
        assert.equal("[]", call("GET", B .. "/auth/api_keys", nil, login.refresh_token).body)
    end)

    it("accepts tokens of the app's own issuer", function()
        local theirs = assert(auth.key({ alg = "HS256", kid = "t", secret = ("t"):rep(32) }))
        start({ jwt = { keys = { theirs }, metadata = { { path = "profile.mail", name = "email" } } } })
        local function token(claims)
            claims.exp = claims.exp or rig.now + 60
            return { token = auth.sign(claims, theirs) }
        end
        local good = { sub = "u1", aud = "app-x", profile = { mail = "u1@example.net" } }
        local login = log_in("custom-token", token(good)).value
        assert.same({ email = "u1@example.net" }, call("GET", B .. "/auth/profile", nil, login.access_token).value.data)
        assert.equal(login.user_id, log_in("custom-token", token(good)).value.user_id)
        for _, bad in ipairs({
            { sub = "u1", aud = "other" },
            { sub = "u1", aud = "app-x", exp = rig.now - 100 },
            { aud = "app-x" },
            { sub = "", aud = "app-x" },
        }) do
            refused(log_in("custom-token", token(bad)), 401, "AuthError")
        end
        local ours = auth.sign({ sub = "u1", aud = "app-x", exp = rig.now + 60 }, rig.key)
        refused(log_in("custom-token", { token = ours }), 401, "AuthError")
    end)

    it("asks the login function", function()
        start({
            ["function"] = {
                login = function(payload)
                    if payload.secret ~= "sesame" then error("wrong word", 0) end
                    return { id = "door", name = "Ali" }
                end,
            },
        })
        local login = log_in("custom-function", { secret = "sesame", options = { device = {} } }).value
        assert.same({ name = "Ali" }, call("GET", B .. "/auth/profile", nil, login.access_token).value.data)
        refused(log_in("custom-function", { secret = "barley" }), 401, "AuthError", "wrong word")
    end)

    it("links identities", function()
        start({ anonymous = true, email = {} })
        call("POST", A .. "/auth/providers/local-userpass/register", { email = "a@b.c", password = "secret1" })
        local anonymous = log_in("anon-user").value
        local credential = { username = "a@b.c", password = "secret1" }
        local path = A .. "/auth/providers/local-userpass/login"
        local linked = call("POST", path, credential, anonymous.access_token, { query = { link = "true" } })
        assert.equal(200, linked.status)
        assert.equal(anonymous.user_id, linked.value.user_id)
        assert.equal(anonymous.user_id, log_in("local-userpass", credential).value.user_id)
        local profile = call("GET", B .. "/auth/profile", nil, linked.value.access_token).value
        assert.equal("local-userpass", profile.identities[2].provider_type)
        local other = log_in("anon-user").value
        local again = call("POST", path, credential, other.access_token, { query = { link = "true" } })
        refused(again, 409, nil, "unauthorized: identity is already linked")
    end)

    it("calls functions with typed arguments and results", function()
        local seen
        start({
            anonymous = true,
            functions = {
                echo = function(context, args)
                    seen = { context = context, args = args }
                    return args[1]
                end,
                fails = function() error("no luck", 0) end,
                report = function() return { error = "a member of this name is fine", n = 1.5 } end,
                nothing = function() end,
            },
        })
        local login = log_in("anon-user").value
        local function run(name, arguments)
            return call("POST", A .. "/functions/call", { name = name, arguments = arguments or json.array({}) },
                login.access_token)
        end
        assert.equal('{"$numberInt":"5"}', run("echo", { { ["$numberLong"] = "5" } }).body)
        assert.equal('{"$numberLong":"5000000000"}', run("echo", { { ["$numberLong"] = "5000000000" } }).body)
        assert.equal('{"$oid":"0123456789abcdef01234567"}', run("echo", { { ["$oid"] = "0123456789abcdef01234567" } }).body)
        assert.equal(login.user_id, seen.context.user.id)
        assert.equal("null", run("nothing").body)
        assert.equal("application/json; charset=utf-8", run("report").headers["Content-Type"])
        refused(run("fails"), 400, "FunctionExecutionError", "no luck")
        refused(run("unknown"), 404, "FunctionNotFound", "function not found: 'unknown'")
        refused(call("POST", A .. "/functions/call", { name = "find", service = "mongodb-atlas" }, login.access_token),
            404, "ServiceNotFound", "service not found: 'mongodb-atlas'")
    end)

    it("ends everything of a deleted or disabled user", function()
        start({ anonymous = true })
        local first, second = log_in("anon-user").value, log_in("anon-user").value
        assert.equal(204, call("DELETE", B .. "/auth/delete", nil, first.access_token).status)
        refused(call("GET", B .. "/auth/profile", nil, first.access_token), 401, "InvalidSession")
        assert.is_true(rig.app:set_disabled(second.user_id, true))
        refused(call("POST", B .. "/auth/session", nil, second.refresh_token), 401, "InvalidSession")
        assert.same({ { user = first.user_id }, { user = second.user_id } }, rig.revoked)
    end)

    it("remembers users over a restart", function()
        start({ anonymous = true })
        local login = log_in("anon-user").value
        rig.service:close()
        start({ anonymous = true })
        assert.equal(201, call("POST", B .. "/auth/session", nil, login.refresh_token).status)
    end)

    it("lets sync connections in by the same check", function()
        start({ anonymous = true, origins = { "https://page.example" } })
        local login = log_in("anon-user").value
        local function upgrade(query, headers)
            return rig.service:authorize_sync({ path = A .. "/realm-sync", query = query, headers = headers or {} })
        end
        assert.equal(login.user_id, upgrade({ baas_at = login.access_token }).user.id)
        assert.equal(login.user_id, upgrade({}, { authorization = "bearer " .. login.access_token }).user.id)
        assert.equal(4001, select(2, upgrade({ baas_at = login.refresh_token })))
        assert.equal(4001, select(2, upgrade({})))
        assert.equal(4001, select(2, upgrade({ baas_at = login.access_token }, { authorization = "Bearer x" })))
        assert.equal(4002, select(2, upgrade({ baas_at = login.access_token }, { origin = "https://evil.example" })))
        call("DELETE", B .. "/auth/session", nil, login.refresh_token)
        assert.equal(4001, select(2, upgrade({ baas_at = login.access_token })))
    end)

    it("answers a failing handler with 500 and keeps the reason for the log", function()
        start({ anonymous = true })
        rig.app.directory.sessions.open = function() error("the disk is gone") end
        refused(log_in("anon-user"), 500, "InternalServerError", "internal server error")
        assert.truthy(table.concat(rig.logs, "\n"):find("the disk is gone", 1, true))
    end)
end)

describe("permissions of partitions", function()
    local user = { id = "u1", data = { team = "blue", star = "*" } }
    local function access(rules, value, kind)
        return (permissions.decide(rules, user, { kind = kind or "string", value = value }))
    end

    it("say what may be done to the schema", function()
        local function schema(rules, default)
            return (select(3, permissions.decide(rules, user, { kind = "string", value = "p" }, default)))
        end
        assert.equal("additive", schema(nil))
        assert.equal("locked", schema(nil, "locked"))
        assert.equal("owner", schema({ { user = "u1", access = "write", schema = "owner" }, { access = "write" } }, "locked"))
        assert.equal("locked", schema({ { access = "write" } }, "locked"))
        assert.equal("owner", schema(function() return "write", "owner" end))
        assert.equal("additive", schema(function() return "write" end))
        assert.equal("none", (permissions.decide(function() return "write", "all" end, user, { kind = "null" })))
        assert.falsy(permissions.validate({ { access = "write", schema = "all" } }))
        local lines = permissions.explain({ { access = "write", schema = "locked" } }, user, { kind = "null" })
        assert.equal("schema: locked (may not change classes and properties)", lines[#lines - 1])
    end)

    it("takes the first rule that matches", function()
        local rules = {
            { partition = "public", access = "read" },
            { partition = "user=%user.id", access = "write" },
            { partition = "team-%user.data.team-*", access = "write" },
            { partition = "star-%user.data.star", access = "write" },
            { partition = { kind = "int", value = "42" }, access = "read" },
            { user = "u2", access = "write" },
        }
        assert.equal("read", access(rules, "public"))
        assert.equal("write", access(rules, "user=u1"))
        assert.equal("none", access(rules, "user=u2"))
        assert.equal("write", access(rules, "team-blue-7"))
        assert.equal("none", access(rules, "team-red-7"))
        assert.equal("write", access(rules, "star-*"))
        assert.equal("none", access(rules, "star-x"))
        assert.equal("read", access(rules, "42", "int"))
        assert.equal("none", access(rules, "42"))
    end)

    it("asks a function, and refuses when it fails", function()
        assert.equal("read", access(function() return "read" end, "x"))
        assert.equal("write", access(function() return true end, "x"))
        assert.equal("none", access(function() error("no") end, "x"))
        assert.equal("none", access(function() return "everything" end, "x"))
        assert.equal("write", access(nil, "x"))
    end)

    it("explains", function()
        local lines = permissions.explain({ { partition = "a", access = "read" }, { access = "none" } }, user,
            { kind = "string", value = "b" })
        assert.same({
            "rule 1 (read): another partition",
            "rule 2 (none): matches",
            "access: none (rule 2 matches)",
        }, lines)
    end)

    it("refuses rules it does not understand", function()
        assert.is_nil(permissions.validate({ { acess = "read" } }))
        assert.is_nil(permissions.validate({ { access = "read", parttion = "x" } }))
        assert.is_nil(permissions.validate("x"))
        assert.is_true(permissions.validate({ { access = "read" } }))
    end)
end)

describe("the limiter", function()
    it("refills with time and forgets what is idle", function()
        local bucket = limiter.new(2, 1, 3)
        assert.is_true(bucket:take("a", 0))
        assert.is_true(bucket:take("a", 0))
        local allowed, wait = bucket:take("a", 0.5)
        assert.is_false(allowed)
        assert.equal(0.5, wait)
        assert.is_true(bucket:take("a", 1))
        for i = 1, 10 do bucket:take("k" .. i, 1) end
        assert.is_true(bucket.count <= 4)
        bucket:forgive("k10")
        assert.is_nil(bucket.buckets.k10)
    end)
end)
