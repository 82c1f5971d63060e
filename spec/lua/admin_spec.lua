-- The operator's side: apps, users and permissions, beside a server and through a running one.
local admin = require("syncline.admin")
local core = require("syncline.core")
local Admin = require("syncline.server.admin")
local operations = require("syncline.server.operations")
local process = require("support.process")
local services = require("syncline.services")
local support = require("support.service")
local stored_apps = require("syncline.server.stored_apps")

local json = core.json

local RULES = { { partition = "user=%user.id", access = "write" }, { partition = "public", access = "read" } }

describe("the files of a server that does not run", function()
    local folder, target

    before_each(function()
        folder = process.folder()
        target = assert(admin.open(folder .. "/server"))
    end)

    after_each(function()
        target:close()
        process.remove_folder(folder)
    end)

    it("get apps that are there again the next time, instead of the open default", function()
        assert.is_false(target.running)
        local made = assert(target:create_app("notes", { email = true, permissions = RULES }))
        assert.equal("storage", made.source)
        assert.same({ "email" }, json.decode(json.encode(made.providers)))
        target:close()
        target = assert(admin.open(folder .. "/server"))
        local apps = target:apps()
        assert.equal(1, #apps)
        assert.equal("notes", apps[1].id)
        assert.equal(2, #apps[1].permissions)
    end)

    it("refuse apps that exist or are defined wrongly", function()
        assert(target:create_app("notes", {}))
        local function refused(code, id, definition)
            local app, message, got = target:create_app(id, definition)
            assert.is_nil(app)
            assert.is_string(message)
            assert.equal(code, got)
        end
        refused("exists", "notes", {})
        refused("invalid", "../notes", {})
        refused("invalid", "x", { colour = 1 })
        refused("invalid", "x", { anonymous = "yes" })
        refused("invalid", "x", { email = { confirm = "perhaps" } })
        refused("invalid", "x", { permissions = { partition = "p", access = "read" } })
        refused("invalid", "x", { permissions = { { access = "all" } } })
        refused("invalid", "x", { permissions = { 1 } })
        refused("invalid", "x", { access_token_lifetime = 0 })
        refused("invalid", "x", { jwt = {} })
        refused("invalid", "x", { jwt = { jwks_url = "http://example.org/keys" } })
        local ids = {}
        for i, app in ipairs(target:apps()) do ids[i] = app.id end
        assert.same({ "default", "notes" }, ids)
    end)

    it("get users who can log in, keep their ids, and go", function()
        assert(target:create_app("notes", { email = true }))
        local id = ("65a1b2c3d4e5f60718293a4b")
        local user = assert(target:create_user("notes", { email = "Ann@example.org", password = "secret1", id = id,
            custom_data = { team = "blue" } }))
        assert.equal(id, user.id)
        assert.equal("Ann@example.org", user.email)
        assert.equal("blue", user.custom_data.team)
        assert.equal("exists", select(3, target:create_user("notes", { email = "ann@EXAMPLE.org", password = "secret1" })))
        assert.equal("exists", select(3, target:create_user("notes", { email = "b@example.org", id = id })))
        assert.equal("invalid", select(3, target:create_user("notes", { email = "nobody" })))
        assert.equal("invalid", select(3, target:create_user("notes", { email = "b@example.org", password = "short" })))
        assert.equal("invalid", select(3, target:create_user("notes", { email = "b@example.org", id = "1" })))
        assert.equal("invalid", select(3, target:create_user("notes", { subject = "s" })))
        assert.equal("invalid", select(3, target:create_user("notes", {})))
        assert.equal("not_found", select(3, target:create_user("other", { email = "b@example.org" })))
        assert.is_true(target:disable_user("notes", id).disabled)
        assert.is_false(target:enable_user("notes", id).disabled)
        assert.equal(1, #target:users("notes"))
        assert.is_true(target:delete_user("notes", id))
        assert.equal("not_found", select(3, target:delete_user("notes", id)))
        assert.equal("not_found", select(3, target:disable_user("notes", id)))
        assert.equal(0, #target:users("notes"))
        assert(target:create_user("notes", { email = "Ann@example.org", password = "secret1" }))
    end)

    it("tell what rules decide", function()
        assert(target:create_app("notes", { email = true, permissions = RULES }))
        local user = assert(target:create_user("notes", { email = "a@example.org" }))
        local explained = assert(target:explain("notes", user.id, json.encode("user=" .. user.id)))
        assert.equal("write", explained.access)
        assert.is_true(explained.known)
        assert.same({ ("partition: the text \"user=%s\""):format(user.id), "rule 1 (write): matches",
            "schema: additive (may add classes and properties, erase none)", "access: write (rule 1 matches)" }, explained.lines)
        explained = assert(target:explain("notes", "somebody", '"public"'))
        assert.is_false(explained.known)
        assert.equal("read", explained.access)
        assert.equal("none", target:explain("notes", user.id, "42").access)
        assert.equal("none", target:explain("notes", user.id, "null").access)
        assert.equal("invalid", select(3, target:explain("notes", user.id, "{public")))
        assert.equal("read", target:explain("notes", user.id, "public").access)
        assert.equal("not_found", select(3, target:explain("other", user.id, "null")))
    end)

    it("stop the start when a stored app cannot be understood", function()
        process.run("mkdir -p " .. folder .. "/server/apps")
        process.write_file(folder .. "/server/apps/bad.json", "{\"permissions\":")
        local apps, message = stored_apps.load(folder .. "/server")
        assert.is_nil(apps)
        assert.matches("bad.json", message)
    end)

    it("have no app whose definition could not be kept", function()
        process.write_file(folder .. "/server/apps", "in the way")
        assert.equal("storage", select(3, target:create_app("notes", { email = true })))
        assert.equal("not_found", select(3, target:app("notes")))
    end)

    it("prefer the configuration", function()
        assert(target:create_app("notes", { email = true }))
        target:close()
        target = assert(admin.open(folder .. "/server", { apps = { notes = { anonymous = true } } }))
        assert.equal("configuration", target:app("notes").source)
        assert.equal("anonymous", target:app("notes").providers[1])
    end)
end)

describe("the operator's interface", function()
    local folder, opened, handler

    local function call(method, path, body, token)
        local answer
        handler:handle({
            method = method, path = "/admin/v1" .. path, query = {}, peer = "127.0.0.1",
            headers = { authorization = "Bearer " .. (token or "right") },
            body = type(body) == "table" and json.encode(body) or body or "",
        }, function(given) answer = given end)
        return answer.status, answer.body ~= "" and json.decode(answer.body) or nil
    end

    before_each(function()
        folder = process.folder()
        process.run("mkdir " .. folder .. "/users")
        opened = assert(services.open({
            apps = { notes = { email = true, scrypt = { log_n = 10, r = 8, p = 1 } } }, directory = folder .. "/users",
            keyring = support.keyring({ alg = "HS256", kid = "k", secret = ("k"):rep(32) }),
            base_url = "https://sync.example.net", clock = os.time,
        }))
        handler = Admin.new({ operations = operations.on_storage(opened, folder, { notes = {} }), token = "right",
            version = "1" })
    end)

    after_each(function()
        opened:close()
        process.remove_folder(folder)
    end)

    it("answers to the token of the run only", function()
        assert.equal(401, (call("GET", "/apps", nil, "wrong")))
        assert.equal(401, (call("GET", "/apps", nil, "")))
        assert.equal(200, (call("GET", "/apps")))
    end)

    it("carries every operation with its status", function()
        assert.equal(201, (call("POST", "/apps", { id = "shop", definition = { anonymous = true } })))
        assert.equal(409, (call("POST", "/apps", { id = "shop" })))
        assert.equal(400, (call("POST", "/apps", { id = "s/p" })))
        assert.equal(2, #select(2, call("GET", "/apps")))
        assert.equal("shop", select(2, call("GET", "/apps/shop")).id)
        assert.equal(404, (call("GET", "/apps/none")))
        local status, user = call("POST", "/apps/notes/users", { email = "a@example.org", password = "secret" })
        assert.equal(201, status)
        local path = "/apps/notes/users/" .. user.id
        assert.equal(200, (call("GET", path)))
        assert.is_true(select(2, call("PUT", path .. "/disable")).disabled)
        assert.is_false(select(2, call("PUT", path .. "/enable")).disabled)
        assert.equal(1, #select(2, call("GET", "/apps/notes/users")))
        assert.equal("write", select(2, call("POST", "/apps/notes/permissions/explain",
            { user = user.id, partition = "null" })).access)
        assert.equal(400, (call("POST", "/apps/notes/permissions/explain", {})))
        assert.equal(204, (call("DELETE", path)))
        assert.equal(404, (call("DELETE", path)))
    end)

    it("refuses what it does not know and survives nonsense", function()
        assert.equal(404, (call("GET", "/nothing")))
        assert.equal(405, (call("DELETE", "/apps")))
        for _, body in ipairs({ "", "x", "[]", "[1]", "null", '{"id":1}', '{"id":"a","definition":1}',
            '{"id":"a","definition":{"permissions":[null]}}', '{"id":{},"definition":[]}' }) do
            assert.equal(400, (call("POST", "/apps", body)), body)
        end
        for _, body in ipairs({ "", "[]", "{}", '{"email":1}', '{"email":"a@b","password":1}', '{"email":"a@b","id":7}',
            '{"email":"a@b","custom_data":"x"}', '{"subject":[]}' }) do
            assert.equal(400, (call("POST", "/apps/notes/users", body)), body)
        end
    end)
end)
