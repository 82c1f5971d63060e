-- syncline import: documents into classes.

local common = require("syncline.cli.common")
local exchange = require("syncline.exchange")
local inference = require("syncline.exchange.inference")

-- The documents of an array instead of those of a file.
local function replay(kept)
    local at = 0
    return function()
        at = at + 1
        if kept[at] then return kept[at][1], kept[at][2], kept[at][3] end
        return nil
    end
end

-- Adds a class that fits the documents of a source, which are read for it. Those of a file are read again later; those
-- of a stream are kept.
local function infer_class(realm, source)
    local found, kept = inference.new(source.class), {}
    while true do
        local document, where, bytes = source.documents()
        if document == nil then break end
        if document == false then common.fail("%s: %s", source.name, where) end
        found:add(document)
        if not source.ours then kept[#kept + 1] = { document, where, bytes } end
    end
    local ok, message = realm:update_schema({ found:class() })
    if not ok then common.fail("%s", message) end
    if not source.ours then return replay(kept) end
    source.file:seek("set")
    return exchange.documents(source.file, source.format, nil)
end

local function read_sources(given)
    local sources = {}
    for i, class in ipairs(given.class) do
        local format = common.format(given.format, given[i], exchange.FORMATS)
        local file, ours = common.open_file(given[i], "r")
        sources[i] = { class = class, name = given[i], format = format, file = file, ours = ours }
    end
    return sources
end

local function check(given)
    if not given.class then common.misuse("--class is missing") end
    if #given ~= #given.class then
        common.misuse(#given.class == 1 and "one file, or '-', expected" or "a file for each --class expected, in the same order")
    end
    if given.update and given.update ~= "all" and given.update ~= "modified" then
        common.misuse("--update: all or modified expected, got '%s'", given.update)
    end
    if given.batch and (given.batch < 1 or given.batch % 1 ~= 0) then common.misuse("--batch: a whole number from 1 expected") end
end

local function count_of(count, one, many)
    return ("%d %s"):format(count, count == 1 and one or many)
end

return {
    name = "import",
    usage = "import --path REALM [OPTIONS] --class NAME FILE|- [--class NAME FILE]...",
    about = "Reads objects from files (or standard input) into classes of a realm file.",
    options = {
        { name = "path", value = "REALM", help = "the realm file; made if it is not there" },
        { name = "class", value = "NAME", many = true, help = "the class; for several, each with its file" },
        { name = "format", value = "FORMAT", help = "jsonl, csv or ejson (default: by the file's name, else jsonl)" },
        { name = "schema", value = "FILE", help = "Lua file that returns the list of classes to add first" },
        { name = "update", value = "POLICY", help = "objects that exist: all or modified properties (default: an error)" },
        { name = "batch", value = "N", number = true, help = "objects per transaction, at most (default 1000)" },
        { name = "strict", help = "exit with 1 when there was a warning" },
    },
    more = "Without a schema, a class that is missing is made from what the documents contain. Classes that link to each\n"
        .. "other are imported by one command. A link to an object that does not exist is left out, a required member that\n"
        .. "is missing gets the default of its type, each with a warning. A transaction is ended early, before it is too\n"
        .. "large to be sent.",
    run = function(given)
        check(given)
        local sources = read_sources(given)
        local realm = common.open_realm(given.path, { create = true, schema = common.load_schema(given.schema) })
        for _, source in ipairs(sources) do
            source.documents = exchange.documents(source.file, source.format, realm.classes[source.class])
            if not realm.classes[source.class] then source.documents = infer_class(realm, source) end
        end
        local report, message = exchange.import_all(realm, sources, {
            policy = given.update, batch = given.batch,
            warn = function(text) io.stderr:write("warning: ", text, "\n") end,
        })
        for _, source in ipairs(sources) do
            if source.ours then source.file:close() end
        end
        realm:close()
        if not report then common.fail("%s", message) end
        for i, source in ipairs(sources) do
            io.stderr:write(("%d objects imported into %s\n"):format(report.counts[i], source.class))
        end
        if report.links + report.members == 0 then return 0 end
        io.stderr:write(("%s: %s, %s\n"):format(count_of(report.links + report.members, "warning", "warnings"),
            count_of(report.links, "link was left out", "links were left out"),
            count_of(report.members, "required member was missing", "required members were missing")))
        return given.strict and 1 or 0
    end,
}
