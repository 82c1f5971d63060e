-- A server that lost its storage gets its content back from the devices.
local process = require("support.process")
local syncline = require("syncline")

local SCHEMA = {
    {
        name = "Item", primary_key = "_id",
        properties = {
            { name = "_id", type = "int" }, { name = "text", type = "string?" }, { name = "count", type = "int" },
            { name = "tags", type = "string[]" }, { name = "words", type = "string{}" }, { name = "numbers", type = "int<>" },
            { name = "next", type = "Item" }, { name = "notes", type = "Note[]" }, { name = "place", type = "Place" },
            { name = "anything", type = "mixed" },
        },
    },
    { name = "Note", properties = { { name = "text", type = "string" }, { name = "item", type = "Item" } } },
    { name = "Place", embedded = true, properties = { { name = "city", type = "string" } } },
}

describe("reseed", function()
    local folder, server, realms, problems

    local function start()
        server = assert(syncline.server.start({ port = 0, storage = folder .. "/server", log = { level = "off" } }))
    end

    local function stop()
        server:stop()
        assert(syncline.run(function() return server.stopped end, 10))
        server:close()
        server = nil
    end

    local function shell(command, ...)
        local ok = os.execute(command:format(...))
        assert(ok == true or ok == 0, command)
    end

    local function open(name, more)
        local sync = {
            url = server:url(), token = server:token("default", "user-" .. name), partition = "shared",
            ca_file = server:ca_file(), reseed = true,
            on_error = function(problem) problems[#problems + 1] = problem end,
        }
        for option, value in pairs(more or {}) do sync[option] = value end
        local realm = assert(syncline.open({ path = ("%s/%s.realm"):format(folder, name), schema = SCHEMA, sync = sync }))
        realms[#realms + 1] = realm
        return realm
    end

    local function settle(realm)
        assert(realm:sync_session():wait_for_upload(20))
        assert(realm:sync_session():wait_for_download(20))
    end

    local function offline(name, fn)
        local realm = assert(syncline.open({ path = ("%s/%s.realm"):format(folder, name) }))
        assert(realm:write(fn))
        realm:close()
    end

    local function fill(realm)
        assert(realm:write(function()
            local first = realm:create("Item", { _id = 1, text = "first", count = 4, tags = { "a", "b" }, words = { x = "y" },
                numbers = { 3, 4 }, place = { city = "Rome" }, anything = { 1, { k = "v" } } })
            local second = realm:create("Item", { _id = 2, text = "second", next = first })
            first.next = second
            first.notes:insert(realm:create("Note", { text = "note", item = second }))
            for key = 3, 20 do realm:create("Item", { _id = key, text = "more", tags = { "t" .. key } }) end
        end))
    end

    -- Everything but keys and certificates.
    local function lose_storage()
        stop()
        shell("find '%s/server' -mindepth 1 -maxdepth 1 ! -name tls ! -name keys -exec rm -r {} +", folder)
        start()
    end

    -- The server knew what `names` have.
    local function share(...)
        start()
        for at, name in ipairs({ ... }) do
            local realm = open(name)
            if at == 1 then fill(realm) end
            settle(realm)
            realm:close()
        end
    end

    before_each(function()
        folder, realms, problems = process.folder(), {}, {}
    end)

    after_each(function()
        for _, realm in ipairs(realms) do realm:close() end
        if server then stop() end
        process.remove_folder(folder)
    end)

    local function check(realm)
        local first = realm:object("Item", 1)
        assert.equal("first", first.text)
        assert.same({ "a", "b" }, first.tags:to_table())
        assert.equal("y", first.words.x)
        assert.equal(2, #first.numbers)
        assert.equal("Rome", first.place.city)
        assert.equal("v", first.anything[2].k)
        assert.equal(2, first.next._id)
        assert.equal(1, first.next.next._id)
        assert.equal(1, #first.notes)
        assert.equal("note", first.notes[1].text)
        assert.equal(2, first.notes[1].item._id)
        assert.equal("t20", realm:object("Item", 20).tags[1])
        assert.equal(1, realm:objects("Note"):count())
    end

    it("gives back everything, and what was written offline", function()
        share("a")
        lose_storage()
        offline("a", function(realm)
            local item = realm:object("Item", 3)
            item:increment("count", 5)
            item.tags:insert(1, "offline")
            realm:create("Item", { _id = 50, text = "new", next = realm:object("Item", 1) })
            local note = realm:create("Note", { text = "new note", item = item })
            note.text = "newer note"
            realm:delete(realm:object("Item", 4))
        end)
        local realm = open("a")
        settle(realm)
        assert.same({}, problems)
        local other = open("b")
        settle(other)
        for _, r in ipairs({ realm, other }) do
            assert.equal(5, r:object("Item", 3).count)
            assert.same({ "offline", "t3" }, r:object("Item", 3).tags:to_table())
            assert.equal(1, r:object("Item", 50).next._id)
            assert.is_nil(r:object("Item", 4))
            assert.equal(2, r:objects("Note"):count())
            assert.equal(1, r:objects("Note"):filter(function(note)
                return note.text == "newer note" and note.item._id == 3
            end):count())
        end
        assert.equal(realm:state(), other:state())
        assert.is_nil(io.open(folder .. "/a.realm.fresh"))
        -- It is a file like any other again.
        assert(realm:write(function() realm:object("Item", 1).text = "later" end))
        settle(realm)
        settle(other)
        assert.equal("later", other:object("Item", 1).text)
        realm:close()
        realm = open("a")
        settle(realm)
        assert.equal(other:state(), realm:state())
    end)

    it("keeps what a newcomer wrote, and gives back the rest", function()
        share("a")
        lose_storage()
        local newcomer = open("new")
        assert(newcomer:write(function()
            newcomer:create("Item", { _id = 1, text = "newcomer's" })
            newcomer:create("Note", { text = "another note" })
        end))
        settle(newcomer)
        local realm = open("a")
        settle(realm)
        settle(newcomer)
        assert.equal(realm:state(), newcomer:state())
        assert.equal("newcomer's", realm:object("Item", 1).text)
        assert.equal("second", realm:object("Item", 2).text)
        assert.equal(2, realm:objects("Note"):count())
        -- The first object is not as it was here.
        assert.equal("changes discarded", problems[1].name)
        local copy = assert(syncline.open({ path = problems[1].copy }))
        assert.equal("first", copy:object("Item", 1).text)
        copy:close()
    end)

    it("makes the same of it on several devices, one after the other and at once", function()
        for _, at_once in ipairs({ false, true }) do
            process.remove_folder(folder)
            folder, problems = process.folder(), {}
            share("a", "b", "c")
            lose_storage()
            offline("b", function(realm) realm:create("Item", { _id = 60, text = "b's" }) end)
            offline("c", function(realm) realm:object("Item", 5).tags:insert("c's") end)
            local all, copies = {}, {}
            for _, name in ipairs({ "a", "b", "c" }) do
                all[#all + 1] = open(name, { client_reset = { after = function(_, result) copies[name] = result.copy end } })
                if not at_once then settle(all[#all]) end
            end
            for _ = 1, 2 do
                for _, realm in ipairs(all) do settle(realm) end
            end
            for _, realm in ipairs(all) do
                check(realm)
                assert.equal(all[1]:state(), realm:state())
                assert.equal("b's", realm:object("Item", 60).text)
                -- At once the younger list stands as a whole, with or without what c added (doc/client.md says so).
                local tags = realm:object("Item", 5).tags:to_table()
                if not at_once or #tags > 1 then assert.same({ "t5", "c's" }, tags) else assert.same({ "t5" }, tags) end
            end
            for _, realm in ipairs(all) do realm:close() end
            if at_once then
                -- Whoever had something unsent has it in a copy, whatever became of it.
                local copy = assert(syncline.open({ path = copies.c }))
                assert.same({ "t5", "c's" }, copy:object("Item", 5).tags:to_table())
                copy:close()
                assert.is_nil(copies.a)
            end
            stop()
        end
        start()
    end)

    it("gives much back in messages that a server takes", function()
        start()
        local realm = open("a")
        for part = 0, 2 do
            assert(realm:write(function()
                for key = 1, 3 do
                    realm:create("Item", { _id = part * 3 + key, text = ("%d "):format(key):rep(1024 * 1024) })
                end
            end))
        end
        settle(realm)
        realm:close()
        lose_storage()
        realm = open("a")
        settle(realm)
        local other = open("b")
        settle(other)
        assert.equal(9, other:objects("Item"):count())
        assert.equal(realm:state(), other:state())
        assert.same({}, problems)
    end)

    it("accepts a server without anything, schema included", function()
        share("a")
        lose_storage()
        local realm = open("a", { reseed = false, on_server_lost = function() return "accept" end })
        settle(realm)
        assert.equal(0, realm:objects("Item"):count())
        assert(realm:write(function() realm:create("Item", { _id = 1 }) end))
        settle(realm)
        assert.equal(realm:state(), (function() local other = open("b"); settle(other); return other:state() end)())
    end)

    it("through the command", function()
        share("a")
        lose_storage()
        -- The server runs in this process, so the command runs beside it.
        local log = folder .. "/command"
        local function client(more)
            shell("(bin/syncline client --path '%s/a.realm' --url %s --partition shared --ca-file '%s' --token '%s' %s >'%s' 2>&1; " ..
                "echo $? >'%s.part'; mv '%s.part' '%s.status') &", folder, server:url(), server:ca_file(),
                server:token("default", "user-a"), more, log, log, log, log)
            assert(syncline.run(function()
                local file = io.open(log .. ".status")
                return file and file:close()
            end, 30))
            local status = tonumber(process.read_file(log .. ".status"))
            os.remove(log .. ".status")
            return status, process.read_file(log)
        end
        local status, text = client("")
        assert.equal(1, status)
        assert.truthy(text:find("the server has lost its data", 1, true))
        assert.truthy(text:find("reseed", 1, true))
        assert.equal(0, (client("--reseed")))
        local other = open("b")
        settle(other)
        check(other)
    end)

    it("refuses modes that give nothing back", function()
        start()
        assert.has_error(function() open("x", { client_reset = "discard" }) end)
        assert.has_error(function() open("x", { client_reset = "manual" }) end)
    end)
end)
