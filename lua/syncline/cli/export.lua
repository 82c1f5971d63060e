-- syncline export: the objects of a class as documents.

local common = require("syncline.cli.common")
local core = require("syncline.core")
local exchange = require("syncline.exchange")

-- The objects that fulfil conditions written as Extended JSON: {"age": [">=", 18], "name": "Ann"}.
local function refine(objects, text)
    local conditions, message = core.ejson.decode(text)
    if type(conditions) ~= "table" then common.misuse("--where: %s", message or "a JSON object expected") end
    local ok, found = pcall(function() return objects:where(conditions) end)
    if not ok then common.misuse("--where: %s", (tostring(found):gsub("^[^\n]-:%d+: ", ""):gsub("^where: ", ""))) end
    return found
end

return {
    name = "export",
    usage = "export --path REALM --class NAME [OPTIONS] [FILE|-]",
    about = "Writes the objects of a class, ordered by key, to a file (or standard output).",
    options = {
        { name = "path", value = "REALM", help = "the realm file" },
        { name = "class", value = "NAME", help = "the class" },
        { name = "where", value = "JSON", help = "only objects like this: '{\"name\": \"Ann\", \"age\": [\">=\", 18]}' (doc/database.md)" },
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
        local objects = realm:objects(given.class)
        if given.where then objects = refine(objects, given.where) end
        local file, ours = common.open_file(given[1], "w")
        local count = exchange.export(objects, file, format)
        if ours then file:close() else file:flush() end
        realm:close()
        io.stderr:write(("%d objects exported from %s\n"):format(count, given.class))
        return 0
    end,
}
