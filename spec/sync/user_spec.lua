-- Users of an app as a program sees them: remembered by default, and without waiting where a loop runs.
local process = require("support.process")
local syncline = require("syncline")

describe("users", function()
    local folder, server

    before_each(function()
        folder = process.folder()
        server = assert(syncline.server.start({ port = 0, storage = folder .. "/server", log = { level = "off" },
            apps = { default = { anonymous = true, email = {}, functions = { double = function(_, arguments)
                return arguments[1] * 2
            end } } } }))
    end)
    after_each(function()
        if server then server:close() end
        process.remove_folder(folder)
    end)

    local function app(path)
        return assert(syncline.app({ id = "default", base_url = server:url(), tls = { ca = server:ca_file() },
            path = path == nil and folder .. "/users.json" or path, timeout = 10 }))
    end

    local ANONYMOUS = { provider = "anonymous" }

    it("are the same in the next run, unless another one is asked for", function()
        local first = assert(app():log_in(ANONYMOUS))
        local again = app()
        assert.equal(first.id, again:current_user().id)
        assert.equal(first.id, assert(again:log_in(ANONYMOUS)).id)
        local other = assert(again:log_in({ provider = "anonymous", reuse = false }))
        assert.are_not.equal(first.id, other.id)
        assert.equal(2, #again:all_users())
        assert.is_true(again:switch_user(again.users[first.id]))
        assert.equal(first.id, app():current_user().id)
        assert.are_not.equal(first.id, assert(app(false):log_in(ANONYMOUS)).id)
        local _, mode = process.run("stat -c %a " .. folder .. "/users.json")
        assert.equal("600\n", mode)
    end)

    it("start without a network, and give way to new ones where the server does not know them any more", function()
        local first = assert(app():log_in(ANONYMOUS))
        local target = assert(syncline.admin.open(folder .. "/server"))
        assert(target:delete_user("default", first.id))
        local second = assert(app():log_in(ANONYMOUS))
        assert.are_not.equal(first.id, second.id)
        local offline = app()
        server:close()
        server = nil
        assert.equal(second.id, assert(offline:log_in(ANONYMOUS)).id)
        local none, message = offline:log_in({ provider = "email", email = "a@b.c", password = "secret1" })
        assert.is_nil(none)
        assert.matches("Connection refused", message)
    end)

    it("log out: the anonymous are gone, others can log in again", function()
        local here = app()
        assert(here:register("ann@example.org", "password1"))
        local ann = assert(here:log_in({ provider = "email", email = "ann@example.org", password = "password1" }))
        local nobody = assert(here:log_in(ANONYMOUS))
        assert.is_true(here:log_out())
        assert.is_nil(here.users[nobody.id])
        assert.is_true(ann:log_out())
        assert.is_false(ann:is_logged_in())
        assert.is_nil(here:current_user())
        assert.same({ ann }, here:all_users())
        local ok, _, code = here:switch_user(ann)
        assert.is_nil(ok)
        assert.equal("logged_out", code)
        assert.equal(1, #app():all_users())
        assert.equal(ann, assert(here:log_in({ provider = "email", email = "ann@example.org", password = "password1" })))
    end)

    it("log in from inside a callback, and all at once", function()
        local here, result, refused = app(), nil, nil
        syncline.loop.get():timer(0, function()
            local ok, problem = pcall(here.log_in, here, ANONYMOUS)
            refused = not ok and problem
            assert(here:log_in(ANONYMOUS, function(user)
                user:call_async(function(doubled)
                    user:profile(function(profile)
                        user:log_out(function(gone) result = { user, doubled, profile.user_id, gone } end)
                    end)
                end, "double", 21)
            end))
        end)
        assert(syncline.run(function() return result end, 20))
        assert.matches("app:log_in waits .* a callback cannot do: give it a function", refused)
        assert.equal(42, result[2])
        assert.equal(result[1].id, result[3])
        assert.is_true(result[4])
        local message, code
        here:log_in({ provider = "email", email = "nobody@example.org", password = "wrong" }, function(_, ...) message, code = ... end)
        assert(syncline.run(function() return code end, 20))
        assert.equal(401, code)
        assert.is_string(message)
    end)
end)
