-- syncline.protocol: messages as tables.
local protocol = require("syncline.protocol")

-- Message, who sent it, further options.
local examples = {
    { 'bind 1 8 0 1 0\n"europe"' },
    { 'bind 1 37 0 1 0\n{"schemaVersion":0,"sessionReason":0}', flx = true },
    { "ident 1 6 4096193072651378107 17 5 19 8121223384501265332\n" },
    { 'ident 1 6 4096193072651378107 17 5 19 8121223384501265332 2 25\n{"Dog":"(TRUEPREDICATE)"}', flx = true },
    { "upload 1 0 66 0 6 0 0\n5 0 336614400123 0 11 CHANGESET-A6 0 336614401456 0 11 CHANGESET-B" },
    { "unbind 1\n" },
    { "mark 1 1\n" },
    { 'query 1 3 40\n{"Dog":"(age > 3) OR (name == \\"Rex\\")"}', flx = true },
    { "ping 182034 37\n" },
    { "state_request 1 42 5518820093317 524288 1 20 22 10 11\n", version = 1 },
    { "refresh 1 12\ndG9rZW4:c2ln", version = 3 },
    { "transact 1 9 19 11\nCHANGESET-T", version = 1 },
    { "ident 1 6 4096193072651378107\n", from = "server" },
    {
        "download 1 19 5 19 8121223384501265332 5 0 0 0 75 0\n17 4 336614400999 9 11 11 CHANGESET-X"
            .. "19 5 336614401999 12 14 11 CHANGESET-Y",
        from = "server",
    },
    {
        "download 1 20 0 20 77881234 0 0 2 0 0.5 0 37 0\n20 0 336614400999 9 11 11 CHANGESET-X",
        from = "server",
        flx = true,
    },
    { "error 100 20 1 0\nServer shutting down", from = "server" },
    { "query_error 226 27 1 3\nInvalid query: no table Cat", from = "server", flx = true },
    { "state 1 0 0 0 0 0 0\n", from = "server", version = 1 },
    { "pong 182034\n", from = "server" },
    { 'log_message 1 31\n{"level":"debug","msg":"bound"}', from = "server" },
    { "unbound 1\n", from = "server" },
}

describe("protocol", function()
    it("writes what it has read", function()
        for _, example in ipairs(examples) do
            local message = assert(protocol.parse(example[1], example))
            assert.equal(example[1], protocol.encode(message, example))
        end
    end)

    it("names fields", function()
        local message = assert(protocol.parse(examples[5][1]))
        assert.equal("upload", message.type)
        assert.equal(1, message.session)
        assert.equal(6, message.progress_client_version)
        assert.equal(2, #message.entries)
        assert.equal("CHANGESET-B", message.entries[2].changeset)
        assert.is_false(message.compressed)
    end)

    it("compresses and inflates", function()
        local body = ("x"):rep(5000)
        local message = protocol.encode({
            type = "upload",
            session = 1,
            progress_client_version = 2,
            entries = { { client_version = 2, changeset = body } },
        })
        assert.is_true(#message < 200)
        local again = assert(protocol.parse(message))
        assert.is_true(again.compressed)
        assert.equal(body, again.entries[1].changeset)
    end)

    it("refuses malformed messages with the number of the protocol", function()
        for message, number in pairs({
            ["nonsense\n"] = 102,
            ["mark 1\n"] = 103,
            ["upload 1 0 3 0 6 0 0\nabc"] = 111,
            ["upload 1 1 9 3 6 0 0\nabc"] = 110,
        }) do
            local nothing, text, code = protocol.parse(message)
            assert.is_nil(nothing)
            assert.is_string(text)
            assert.equal(number, code)
        end
        assert.has_error(function() protocol.encode({ type = "dance" }) end)
        assert.has_error(function() protocol.encode({ type = "mark", request = -1 }) end)
        assert.has_error(function() protocol.parse("mark 1 1\n", { from = "nobody" }) end)
    end)

    it("explains error numbers", function()
        assert.equal("bad client file ident", protocol.error(208).name)
        assert.equal("ClientReset", protocol.error(208).action)
        assert.is_nil(protocol.error(1))
        assert.is_true(#protocol.errors() > 45)
    end)
end)
