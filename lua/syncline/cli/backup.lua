-- syncline backup: a consistent copy of a realm file while it is in use.

local core = require("syncline.core")
local common = require("syncline.cli.common")

return {
    name = "backup",
    usage = "backup REALM TO",
    about = "Copies a realm file while it may be in use. The copy appears when it is complete.",
    run = function(given)
        if not given[2] or given[3] then common.misuse("a realm file and the name of the copy expected") end
        local ok, message = core.store.backup(given[1], given[2])
        if not ok then common.fail("%s: %s", given[1], message) end
        return 0
    end,
}
