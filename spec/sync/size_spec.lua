-- Transactions that are too large for a message: refused when they are written, or kept with an error.
local process = require("support.process")
local syncline = require("syncline")

local SCHEMA = { { name = "Photo", primary_key = "_id", properties = { _id = "int", data = "binary?" } } }

describe("a transaction that is too large", function()
    local folder, server, realm, problems

    local function start(max_message, max_skipped)
        server = assert(syncline.server.start({ port = 0, tls = false, storage = folder .. "/server",
            max_message = max_message, max_skipped = max_skipped, log = { level = "off" } }))
    end

    local function open(options)
        local sync = { url = server:url(), token = server:token("default", "u"), partition = "photos",
            on_error = function(problem) problems[#problems + 1] = problem end }
        local path = options and options.path or folder .. "/photos.realm"
        if options then options.path = nil end
        for name, value in pairs(options or {}) do sync[name] = value end
        realm = assert(syncline.open({ path = path, schema = SCHEMA, sync = sync }))
        return realm
    end

    -- Bytes that do not shrink.
    local function noise(size)
        local file = assert(io.open("/dev/urandom", "rb"))
        local bytes = file:read(size)
        file:close()
        return bytes
    end

    local function add(key, data)
        return realm:write(function() realm:create("Photo", { _id = key, data = data }) end)
    end

    before_each(function() folder, problems = process.folder(), {} end)

    after_each(function()
        realm:close()
        server:stop()
        assert(syncline.run(function() return server.stopped end, 10))
        server:close()
        process.remove_folder(folder)
    end)

    it("is refused when it is written, with the sizes, and taken back", function()
        start()
        open({ max_message = 100000 })
        assert(realm:sync_session():wait_for_download(20))
        local ok, message, code = add(1, noise(120000))
        assert.is_nil(ok)
        assert.equal("too_big", code)
        assert.truthy(message:find("120%d%d%d bytes"))
        assert.truthy(message:find("98976 are possible", 1, true))
        assert.equal(0, realm:objects("Photo"):count())
        -- What is small on the wire is taken, and the session goes on.
        assert(add(2, ("x"):rep(500000)))
        assert(realm:sync_session():wait_for_upload(20))
        assert.same({}, problems)
    end)

    it("and serialized is refused as well", function()
        start()
        open({ max_message = 100000 })
        local ok, _, code = realm:transact(function() realm:create("Photo", { _id = 1, data = noise(120000) }) end,
            { timeout = 20 })
        assert.is_nil(ok)
        assert.equal("too_big", code)
        assert.equal(0, realm:objects("Photo"):count())
    end)

    it("for this server stops the session with an error, and everything stays, in every mode", function()
        start(100000, 0)
        for _, mode in ipairs({ "recover", "discard", "recover_or_discard", "manual" }) do
            problems = {}
            open({ client_reset = mode })
            if mode == "recover" then assert(add(1, noise(120000))) end
            local ok, message, code = realm:sync_session():wait_for_upload(20)
            assert.is_nil(ok)
            assert.equal(1009, code)
            assert.truthy(message:find("message of 120%d%d%d bytes"))
            assert.equal(1, #problems)
            assert.equal("message too big", problems[1].name)
            assert.is_false(problems[1].client_reset)
            assert.equal(1, realm:objects("Photo"):count())
            realm:close()
        end
    end)

    it("ends that session alone, with both sizes, while the server may skip it", function()
        start(100000)
        open({ client_reset = "recover" })
        assert(add(1, noise(120000)))
        local ok, message, code = realm:sync_session():wait_for_upload(20)
        assert.is_nil(ok)
        assert.equal(201, code)
        assert.truthy(message:find("120%d%d%d bytes .*max_message of the server, 100000 bytes"))
        assert.equal(1, #problems)
        assert.is_false(problems[1].client_reset)
        assert.equal(1, realm:objects("Photo"):count())
    end)

    it("from a file that was never synchronised stops the session, and everything stays", function()
        start()
        realm = assert(syncline.open({ path = folder .. "/photos.realm", schema = SCHEMA }))
        assert(realm:write(function()
            for key = 1, 2 do realm:create("Photo", { _id = key, data = noise(9 * 1024 * 1024) }) end
        end))
        realm:close()
        open()
        local ok, _, code = realm:sync_session():wait_for_upload(20)
        assert.is_nil(ok)
        assert.equal(1009, code)
        assert.equal(1, #problems)
        assert.equal(2, realm:objects("Photo"):count())
    end)

    it("limits are checked", function()
        start()
        open()
        assert.has_error(function() open({ max_message = 5, path = folder .. "/other.realm" }) end)
        assert.has_error(function() syncline.server.start({ port = 0, max_message = 5 }) end)
        assert.has_error(function() syncline.server.start({ port = 0, max_skipped = -1 }) end)
    end)
end)
