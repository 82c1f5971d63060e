-- Keys and secrets of a server: kept, changed, never replaced or told without a word.
local admin = require("syncline.admin")
local auth = require("syncline.auth")
local json = require("syncline.core").json
local keyring = require("syncline.server.keyring")
local loop = require("syncline.loop")
local process = require("support.process")
local Server = require("syncline.server")

local function mode(path)
    return (select(2, process.run("stat -c %a " .. path)):gsub("%s", ""))
end

describe("the signing keys of a server", function()
    local folder, storage, server

    local function start(apps)
        server = assert(Server.start({ port = 0, tls = false, storage = storage, log = { level = "off" }, apps = apps }))
    end

    local function stop()
        server:close()
        server = nil
    end

    local function call(method, path, token)
        local answer
        assert(loop.get():request({
            url = server:url() .. path, method = method, body = method == "POST" and "{}" or nil,
            headers = { Authorization = token and "Bearer " .. token },
            on_done = function(given, message) answer = given or { status = message } end,
        }))
        assert(loop.run(function() return answer ~= nil end, 20))
        return answer.status, answer.body and answer.body ~= "" and json.decode(answer.body)
    end

    local function log_in()
        return select(2, call("POST", "/api/client/v2.0/app/default/auth/providers/anon-user/login"))
    end

    local function refresh(login)
        return (call("POST", "/api/client/v2.0/auth/session", login.refresh_token))
    end

    local function kid(token)
        return json.decode(auth.base64_decode(token:match("^[^.]+"))).kid
    end

    before_each(function()
        folder = process.folder()
        storage = folder .. "/server"
    end)
    after_each(function()
        if server then server:close() end
        process.remove_folder(folder)
    end)

    it("are never replaced because they cannot be read", function()
        start()
        local login = log_in()
        stop()
        local path = storage .. "/keys/signing.key"
        local good = process.read_file(path)
        assert.equal("600", mode(path))
        for _, text in ipairs({ "", "no key\n", good .. "rest of another file\n" }) do
            process.write_file(path, text)
            local ok, message = Server.start({ port = 0, tls = false, storage = storage, log = { level = "off" } })
            assert.is_nil(ok)
            assert.matches("signing.key", message, 1, true)
            assert.equal(text, process.read_file(path))
        end
        os.remove(path)
        process.run("mkdir " .. path)
        assert.is_nil((Server.start({ port = 0, tls = false, storage = storage, log = { level = "off" } })))
        process.run("rmdir " .. path)
        -- Lost, while there are users: nothing is made that logs all of them out without a word.
        local status, _, problem = process.syncline("serve --plain --port 0 --storage " .. storage)
        assert.equal(1, status)
        assert.matches("'syncline key new'", problem, 1, true)
        assert.equal(1, (process.syncline("app list --storage " .. storage)))
        process.write_file(path, good)
        start()
        assert.equal(201, refresh(login))
        stop()
        os.remove(path)
        assert.equal(0, (process.syncline("key new --storage " .. storage)))
        assert.equal(1, (process.syncline("key new --storage " .. storage)))
        start()
        assert.equal(401, refresh(login))
    end)

    it("can be changed while the server runs, and nobody is logged out", function()
        start()
        local login = log_in()
        local target = assert(admin.open(storage))
        assert.is_true(target.running)
        local before, keys = assert(target:keys()), assert(target:rotate_keys())
        assert.equal(2, #keys)
        assert.equal(before[1].id, keys[2].id)
        assert.is_true(keys[2]["until"] > os.time() + 59 * 86400)
        assert.equal(201, refresh(login))
        assert.equal(keys[1].id, kid(log_in().access_token))
        assert.equal(keys[1].id, kid(server:token("default", "u")))
        stop()
        start()
        assert.equal(201, refresh(login))
        local newer = log_in()
        target = assert(admin.open(storage))
        assert.equal(1, #assert(target:rotate_keys({ now = true })))
        assert.equal(401, refresh(login))
        assert.equal(401, refresh(newer))
        assert.equal(201, refresh(log_in()))
        target:close()
        stop()
        assert.equal(0, (process.syncline("key rotate --storage " .. storage)))
        local _, out = process.syncline("key list --storage " .. storage)
        assert.matches("^%x+ +signs\n%x+ +accepted until %d%d%d%d%-", out)
    end)

    it("keep the name of a key that was made without one", function()
        process.run("mkdir -p " .. storage .. "/keys")
        process.write_file(storage .. "/keys/signing.key", ("0123456789abcdef"):rep(4) .. "\n")
        local ring = assert(keyring.open(storage, {}, 0))
        assert.equal("own", ring.signing:kid())
        assert(ring:rotate(100, 1000))
        assert.same({ "own" }, { ring.accepted[2]:kid() })
        ring = assert(keyring.open(storage, {}, 1099))
        assert.equal(2, #ring.accepted)
        ring:prune(1100)
        assert.equal(1, #ring.accepted)
        assert.equal(1, #assert(keyring.open(storage, {}, 1100)).accepted)
    end)

    it("are not made by a command that looks in the wrong place", function()
        local status, out, problem = process.syncline("token --storage " .. folder .. "/typo")
        assert.equal(1, status)
        assert.equal("", out)
        assert.matches("there is no server storage in", problem, 1, true)
        assert.not_equal(0, (process.run("test -e " .. folder .. "/typo")))
    end)

    it("lie in files for the owner only, as everything that holds a secret", function()
        start()
        for _, name in ipairs({ "keys/signing.key", "admin.json", "admin.sock" }) do
            assert.equal("600", mode(storage .. "/" .. name), name)
        end
        stop()
        assert.not_equal(0, (process.run("test -e " .. storage .. "/admin.sock")))
        local log = folder .. "/log"
        server = assert(Server.start({ port = 0, tls = false, storage = storage, log = { file = log } }))
        assert.equal("600", mode(log))
    end)

    it("and passwords are not told to whoever listens where a server was killed", function()
        local heard = {}
        local impostor = assert(loop.get():listen({ host = "127.0.0.1", port = 0, on_request = function(request)
            heard[#heard + 1] = request.path .. json.encode(request.headers) .. request.body
            request:respond({ body = json.encode({ server = "syncline", proof = ("0"):rep(64) }) })
        end }))
        finally(function() impostor:close() end)
        start({ notes = { email = true } })
        stop()
        process.write_file(storage .. "/admin.json", json.encode({ token = "the-secret",
            url = "http://127.0.0.1:" .. impostor:port() }))
        local target = assert(admin.open(storage, { apps = { notes = { email = true } } }))
        assert.is_false(target.running)
        assert(target:create_user("notes", { email = "ann@example.org", password = "my-password" }))
        target:close()
        local all = table.concat(heard, "\n")
        assert.equal(1, #heard)
        assert.not_matches("my-password", all, 1, true)
        assert.not_matches("the-secret", all, 1, true)
        assert.not_matches(auth.hex(auth.sha256("the-secret")), all, 1, true)
    end)

    it("do without a socket where its path would be too long", function()
        storage = folder .. "/" .. ("long"):rep(30)
        start()
        assert.is_string(json.decode(process.read_file(storage .. "/admin.json")).url)
        local target = assert(admin.open(storage))
        assert.is_true(target.running)
        assert.equal("default", target:apps()[1].id)
    end)
end)
