-- syncline import: documents into a class.

local common = require("syncline.cli.common")
local exchange = require("syncline.exchange")

-- Documents are read twice when the schema has to be inferred; a stream is kept for that.
local function gather(next_document)
    local kept = {}
    while true do
        local document, where = next_document()
        if document == nil then break end
        if document == false then common.fail("%s", where) end
        kept[#kept + 1] = { document, where }
    end
    local at = 0
    return kept, function()
        at = at + 1
        if kept[at] then return kept[at][1], kept[at][2] end
        return nil
    end
end

return {
    name = "import",
    usage = "import --path REALM --class NAME [OPTIONS] FILE|-",
    about = "Reads objects from a file (or standard input) into a class of a realm file.",
    options = {
        { name = "path", value = "REALM", help = "the realm file; made if it is not there" },
        { name = "class", value = "NAME", help = "the class" },
        { name = "format", value = "FORMAT", help = "jsonl, csv or ejson (default: by the file's name, else jsonl)" },
        { name = "schema", value = "FILE", help = "Lua file that returns the list of classes to add first" },
        { name = "update", value = "POLICY", help = "objects that exist: all or modified properties (default: an error)" },
        { name = "batch", value = "N", number = true, help = "objects per transaction (default 1000)" },
    },
    more = "Without a schema, a class that is missing is made from what the documents contain.",
    run = function(given)
        if not given.class then common.misuse("--class is missing") end
        if not given[1] or given[2] then common.misuse("one file, or '-', expected") end
        if given.update and given.update ~= "all" and given.update ~= "modified" then
            common.misuse("--update: all or modified expected, got '%s'", given.update)
        end
        local format = common.format(given.format, given[1], exchange.FORMATS)
        local file, ours = common.open_file(given[1], "r")
        local realm = common.open_realm(given.path, { create = true, schema = common.load_schema(given.schema) })
        local documents = exchange.documents(file, format, realm.classes[given.class])
        if not realm.classes[given.class] then
            local kept, again = gather(documents)
            local plain = {}
            for i, pair in ipairs(kept) do plain[i] = pair[1] end
            local ok, message = realm:update_schema(exchange.infer(given.class, plain))
            if not ok then common.fail("%s", message) end
            documents = again
        end
        local count, message = exchange.import(realm, given.class, documents, { policy = given.update, batch = given.batch })
        if ours then file:close() end
        realm:close()
        if not count then common.fail("%s: %s", given[1], message) end
        io.stderr:write(("%d objects imported into %s\n"):format(count, given.class))
        return 0
    end,
}
