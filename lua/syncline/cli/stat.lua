-- syncline stat: what is in a realm file.

local core = require("syncline.core")
local common = require("syncline.cli.common")

local LINES = {
    { "file_bytes", "bytes in the file" }, { "free_bytes", "of them free" }, { "classes", "classes" },
    { "properties", "properties" }, { "objects", "objects" }, { "links", "links" },
    { "entries", "history entries" }, { "first_version", "first version held" }, { "last_version", "last version" },
    { "changeset_bytes", "bytes of changesets" }, { "original_bytes", "bytes of originals kept" },
    { "reciprocals", "reciprocal forms" }, { "clients", "client files" },
}

return {
    name = "stat",
    usage = "stat [--json] REALM",
    about = "Shows classes, sizes and history of a realm file (of a client or a server), also while it is in use.",
    options = { { name = "json", help = "one JSON object" } },
    run = function(given)
        if not given[1] or given[2] then common.misuse("one realm file expected") end
        local stat, message = core.store.stat(given[1])
        if not stat then common.fail("%s: %s", given[1], message) end
        if given.json then
            print(core.json.encode(stat))
        else
            for _, line in ipairs(LINES) do print(("%14s  %s"):format(tostring(stat[line[1]]), line[2])) end
        end
        return 0
    end,
}
