-- syncline backup: consistent copies of a realm file, or of a whole server, while they are in use.

local admin = require("syncline.admin")
local core = require("syncline.core")
local common = require("syncline.cli.common")
local operator = require("syncline.cli.operator")

local function whole_server(given)
    if given[1] then common.misuse("'%s': with --server the folder of the copy stands behind it", given[1]) end
    local storage = operator.storage(given)
    operator.existing(storage)
    local copied = operator.must(admin.backup(storage, given.server))
    operator.print(given, copied, function()
        print(("%d realm files, %d bytes, with keys and apps, in %s"):format(copied.realms, copied.bytes, given.server))
    end)
    return 0
end

return {
    name = "backup",
    usage = "backup REALM TO | backup --server TO [--storage DIR]",
    about = "Copies a realm file, or everything of a server, while it may be in use. The copy appears when it is complete.",
    options = operator.options({
        { name = "server", value = "TO", help = "copy the storage folder of a server into a new folder: realms, users, keys, apps" },
    }),
    more = "A copy made with --server takes the place of the storage folder as it is. It holds keys: keep it as safe as the server.",
    run = function(given)
        if given.server then return whole_server(given) end
        if not given[2] or given[3] then common.misuse("a realm file and the name of the copy expected, or --server TO") end
        for _, name in ipairs({ "storage", "config", "json" }) do
            if given[name] then common.misuse("--%s belongs to --server", name) end
        end
        local ok, message = core.store.backup(given[1], given[2])
        if not ok then common.fail("%s: %s", given[1], message) end
        return 0
    end,
}
