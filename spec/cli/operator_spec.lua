-- The operator's commands, beside a server and while it runs.
local admin = require("syncline.admin")
local json = require("syncline.core").json
local process = require("support.process")
local syncline = require("syncline")

local RULES = { { partition = "user=%user.id", access = "write" }, { partition = "public", access = "read" } }

describe("syncline app, user and permissions", function()
    local folder, pid

    local function run(arguments, input)
        return process.syncline(arguments .. " --storage " .. folder .. "/server", input)
    end

    local function serve()
        process.write_file(folder .. "/url", "")
        process.run(("bin/syncline serve --port 0 --storage %s/server >%s/url 2>%s/log & echo $! >%s/pid")
            :format(folder, folder, folder, folder))
        pid = process.read_file(folder .. "/pid"):match("%d+")
        local deadline = os.time() + 20
        while os.time() <= deadline do
            local url = process.read_file(folder .. "/url"):match("^(%S+)\n")
            if url then return url end
            process.run("sleep 0.02")
        end
        error(process.read_file(folder .. "/log"))
    end

    local function stop(signal)
        process.run(("kill -%s %s; while kill -0 %s 2>/dev/null; do sleep 0.02; done"):format(signal, pid, pid))
        pid = nil
    end

    before_each(function() folder = process.folder() end)
    after_each(function()
        if pid then stop("KILL") end
        process.remove_folder(folder)
    end)

    it("reach a running server, which knows what they made at once", function()
        local url = serve()
        local _, mode = process.run("stat -c %a " .. folder .. "/server/admin.json")
        assert.equal("600\n", mode)
        assert.is_true(assert(admin.open(folder .. "/server")).running)
        local status, _, problem = run("app create notes --email --permissions '" .. json.encode(json.array(RULES)) .. "'")
        assert.equal(0, status, problem)
        local out
        status, out, problem = run("user create --app notes --email ann@example.org --password-file - --json", "secret1\n")
        assert.equal(0, status, problem)
        local id = json.decode(out).id
        local app = assert(require("syncline.app").new({ id = "notes", base_url = url,
            tls = { ca = folder .. "/server/tls/cert.pem" } }))
        local user = assert(app:log_in({ provider = "email", email = "ann@example.org", password = "secret1" }))
        assert.equal(id, user.id)
        _, out = run(("permissions explain --app notes --user %s --partition '\"public\"'"):format(id))
        assert.matches("access: read %(rule 2 matches%)", out)
        local realm = assert(syncline.open({ path = folder .. "/ann.realm", sync = { user = user, partition = "user=" .. id,
            on_error = function() end } }))
        finally(function() realm:close() end)
        assert(realm:sync_session():wait_for_download(20))
        assert.not_matches("client gone", process.read_file(folder .. "/log"))
        assert.equal(0, (run("user disable --app notes " .. id)))
        assert(syncline.run(function()
            return process.read_file(folder .. "/log"):find("client gone", 1, true) ~= nil
        end, 20))
        assert.is_nil((app:log_in({ provider = "email", email = "ann@example.org", password = "secret1" })))
        assert.equal(0, (run("user enable --app notes " .. id)))
        assert(app:log_in({ provider = "email", email = "ann@example.org", password = "secret1" }))
        assert.equal(0, (run("user delete --app notes " .. id)))
        assert.is_nil((app:log_in({ provider = "email", email = "ann@example.org", password = "secret1" })))
        stop("TERM")
        assert.is_nil(io.open(folder .. "/server/admin.json"))
        assert.not_matches("secret1", process.read_file(folder .. "/log"))
        assert.matches("notes", select(2, run("app list")))
    end)

    it("end tokens that were minted for a user who is disabled", function()
        local url = serve()
        assert.equal(0, (run("app create notes --email")))
        local _, out = run("user create --app notes --email ann@example.org --json")
        local id = json.decode(out).id
        process.write_file(folder .. "/token", select(2, run("token --app notes --user " .. id)))
        local function sync()
            return process.syncline(("client --url %s --app notes --partition p --ca-file %s/server/tls/cert.pem --path %s/a.realm"
                .. " --token-file %s/token"):format(url, folder, folder, folder))
        end
        assert.equal(0, (sync()))
        assert.equal(0, (run("user disable --app notes " .. id)))
        assert.equal(1, (sync()))
        assert.equal(0, (run("user delete --app notes " .. id)))
        assert.equal(1, (sync()))
        _, out = run("token --app notes --user somebody-else")
        process.write_file(folder .. "/token", out)
        os.remove(folder .. "/a.realm")
        assert.equal(0, (sync()))
    end)

    it("print the link that lets a user set a password, which no log shows", function()
        local url = serve()
        assert.equal(0, (run("app create notes --email")))
        assert.equal(0, (run("user create --app notes --email ann@example.org")))
        local _, out = run("user link --app notes --email ann@example.org")
        local token, id = out:match("^" .. url:gsub("%p", "%%%0") .. "/app/notes/reset%?token=(%x+)&tokenId=(%x+)\n$")
        assert.is_string(token)
        local app = assert(require("syncline.app").new({ id = "notes", base_url = url,
            tls = { ca = folder .. "/server/tls/cert.pem" } }))
        assert(app:reset_password("secret2", token, id))
        assert(app:log_in({ provider = "email", email = "ann@example.org", password = "secret2" }))
        assert.not_matches(token, process.read_file(folder .. "/log"), 1, true)
    end)

    it("work on the files when a server was killed", function()
        serve()
        stop("KILL")
        assert(io.open(folder .. "/server/admin.json")):close()
        assert.equal(0, (run("app create notes --anonymous")))
        serve()
        assert.matches("anonymous", select(2, run("app show notes")))
    end)

    it("say what is wrong, with status 1 or 2", function()
        local function fails(expected, arguments, text)
            local status, _, problem = run(arguments)
            assert.equal(expected, status, arguments)
            assert.matches(text, problem, 1, true)
        end
        for _, command in ipairs({ "token", "app list", "user list --app default", "compact",
            "permissions explain --app default --user u --partition p" }) do
            fails(1, command, "there is no server storage in")
            assert.is_nil(io.open(folder .. "/server/keys/signing.key"), command)
        end
        assert.equal(0, (run("app create notes --email")))
        fails(1, "app create bad --permissions '[{\"partition\":\"%user.x\",\"access\":\"read\"}]'", "'%user.x' is unknown")
        fails(1, "permissions explain --app notes --user u --partition '{x'", "Extended JSON")
        fails(2, "app", "one of create, list, show expected")
        fails(2, "app destroy x", "got 'destroy'")
        fails(2, "app create", "the id of the app")
        fails(2, "app create x --permissions '['", "JSON expected")
        fails(2, "app list --email", "belongs to 'app create'")
        fails(2, "user list", "--app is missing")
        fails(2, "user create --app x", "either --email or --subject")
        fails(2, "permissions explain --app x --user y", "--partition is missing")
        fails(1, "app show nothing", "there is no app 'nothing'")
        fails(1, "user list --app nothing", "there is no app 'nothing'")
        fails(1, "user delete --app notes nobody", "there is no user 'nobody'")
        for _, command in ipairs({ "app", "user", "permissions" }) do
            local status, out = process.syncline(command .. " --help")
            assert.equal(0, status)
            assert.matches("usage: syncline " .. command, out, 1, true)
        end
    end)

    it("import users with everything that can be kept of them", function()
        assert.equal(0, (run("app create notes --email")))
        local users = json.encode(json.array({
            { _id = "65a1b2c3d4e5f60718293a01", data = { email = "ann@example.org" }, disabled = true,
                identities = json.array({ { id = "65a1b2c3d4e5f60718293a02", provider_type = "local-userpass" },
                    { id = "1088", provider_type = "oauth2-google" } }) },
            { _id = "65a1b2c3d4e5f60718293a03", data = { email = "bob@example.org", name = "Bob" },
                identities = json.array({ { id = "0012.ab", provider_type = "oauth2-apple" } }) },
            { _id = "65a1b2c3d4e5f60718293a05", identities = json.array({ { id = "x", provider_type = "anon-user" } }) },
        }))
        local status, _, message = run("user import --app notes -", users)
        assert.equal(0, status, message)
        assert.equal("user 3 (65a1b2c3d4e5f60718293a05): neither an address nor an identity that can be kept\n"
            .. "2 users made, 1 left out\n1 of them only have identities of Google, Apple or Facebook, with which nobody can log in "
            .. "here yet (see doc/migrate-from-atlas.md)\n", message)
        local _, out = run("user list --app notes")
        assert.matches("65a1b2c3d4e5f60718293a01  %S+  disabled  email,google  ann@example.org\n", out)
        assert.matches("65a1b2c3d4e5f60718293a03  %S+  enabled   apple       bob@example.org\n", out)
        for _, id in ipairs({ "65a1b2c3d4e5f60718293a01", "65a1b2c3d4e5f60718293a03" }) do
            assert.equal(0, (run("user delete --app notes " .. id)))
        end
        status, _, message = run("user import --by-address --app notes -", users)
        assert.equal(0, status, message)
        assert.matches("^user 3 [^\n]*\n2 users made, 1 left out\n$", message)
        _, out = run("user list --app notes")
        assert.matches("65a1b2c3d4e5f60718293a03  %S+  enabled   email,apple  bob@example.org\n", out)
    end)
end)
