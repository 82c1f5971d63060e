-- Passwords on threads, as Lua sees them.

local auth = require("syncline.auth")
local net = require("syncline.core").net

local CHEAP = { log_n = 10, r = 8, p = 1 }

local function wait(loop, what, condition)
    local deadline = loop:now() + 10
    while not condition() do
        if loop:now() > deadline then error("not within 10 s: " .. what, 2) end
        loop:step(0.05)
    end
end

describe("workers", function()
    local loop

    before_each(function() loop = assert(net.loop({})) end)
    after_each(function() loop:close() end)

    it("hash and check what auth hashes and checks", function()
        local workers = auth.workers(loop, { threads = 2 })
        local results = {}
        assert.is_true(workers:hash_password("secret", CHEAP, function(hash)
            assert.is_true(auth.check_password("secret", hash))
            for _, try in ipairs({ "secret", "wrong" }) do
                assert(workers:check_password(try, hash, function(match) results[try] = match end))
            end
        end))
        wait(loop, "both", function() return results.secret ~= nil and results.wrong ~= nil end)
        assert.is_true(results.secret)
        assert.is_false(results.wrong)
        workers:close()
    end)

    it("tell what cannot be read as a hash", function()
        local workers, got = auth.workers(loop), nil
        workers:check_password("secret", "no hash", function(...) got = { n = select("#", ...), ... } end)
        wait(loop, "the answer", function() return got end)
        assert.are.equal(3, got.n)
        assert.is_nil(got[1])
        assert.are.equal("auth", got[3])
    end)

    it("refuse what does not fit into the queue", function()
        local workers, ended, refused = auth.workers(loop, { threads = 1, queue = 2 }), 0, 0
        local message, code
        for _ = 1, 20 do
            local ok, why, number = workers:hash_password("x", { log_n = 14 }, function() ended = ended + 1 end)
            if not ok then
                refused, message, code = refused + 1, why, number
            end
        end
        assert.is_true(refused >= 17) -- one may run, two wait
        assert.are.equal("busy", code)
        assert.is_truthy(message:find("busy", 1, true))
        assert.is_true(workers:waiting() <= 2)
        wait(loop, "the others", function() return ended == 20 - refused end)
    end)

    it("let the loop go on meanwhile", function()
        local workers, order = auth.workers(loop, { threads = 1 }), {}
        workers:hash_password("x", { log_n = 17 }, function() order[#order + 1] = "hash" end)
        loop:timer(0, function() order[#order + 1] = "timer" end)
        wait(loop, "both", function() return #order == 2 end)
        assert.are.same({ "timer", "hash" }, order)
    end)

    it("call nobody after they are closed, by a callback as well", function()
        local workers, called = auth.workers(loop, { threads = 1 }), 0
        local function count()
            called = called + 1
            workers:close()
        end
        for _ = 1, 5 do assert(workers:hash_password("x", CHEAP, count)) end
        wait(loop, "one", function() return called == 1 end)
        loop:step(0)
        assert.are.equal(1, called)
        assert.has_error(function() workers:hash_password("x", CHEAP, count) end, "the workers are closed")
    end)

    it("end with their loop while work waits", function()
        local other = assert(net.loop({}))
        local workers = auth.workers(other, { threads = 1 })
        for _ = 1, 10 do assert(workers:hash_password("x", CHEAP, function() error("called") end)) end
        other:close()
        assert.has_error(function() workers:waiting() end)
    end)

    it("check their arguments", function()
        local workers = auth.workers(loop)
        assert.has_error(function() workers:hash_password("x", CHEAP) end)
        assert.has_error(function() workers:hash_password("x", { log_n = 40 }, print) end)
        assert.has_error(function() auth.workers(loop, { threads = 0 }) end)
    end)
end)
