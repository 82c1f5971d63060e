-- syncline export: the objects of a class as documents.

local common = require("syncline.cli.common")
local exchange = require("syncline.exchange")

return {
    name = "export",
    usage = "export --path REALM --class NAME [OPTIONS] [FILE|-]",
    about = "Writes the objects of a class, ordered by key, to a file (or standard output).",
    options = {
        { name = "path", value = "REALM", help = "the realm file" },
        { name = "class", value = "NAME", help = "the class" },
        { name = "format", value = "FORMAT", help = "jsonl, csv or ejson (default: by the file's name, else jsonl)" },
    },
    run = function(given)
        if not given.class then common.misuse("--class is missing") end
        if given[2] then common.misuse("one file, or '-', expected") end
        local format = common.format(given.format, given[1], exchange.FORMATS)
        local realm = common.open_realm(given.path, {})
        if not realm.classes[given.class] then
            common.fail("%s has no class '%s'", given.path, given.class)
        end
        local file, ours = common.open_file(given[1], "w")
        local count = exchange.export(realm:objects(given.class), file, format)
        if ours then file:close() else file:flush() end
        realm:close()
        io.stderr:write(("%d objects exported from %s\n"):format(count, given.class))
        return 0
    end,
}
