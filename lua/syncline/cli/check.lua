-- syncline check: looks for damage.

local core = require("syncline.core")
local common = require("syncline.cli.common")

return {
    name = "check",
    usage = "check REALM...",
    about = "Reads every page, value, link and history entry of realm files and reports what is damaged.",
    run = function(given)
        if not given[1] then common.misuse("a realm file expected") end
        local status = 0
        for _, path in ipairs(given) do
            local findings, message = core.store.check(path)
            if not findings then
                print(path .. ": " .. message)
                status = 1
            elseif #findings == 0 then
                print(path .. ": sound")
            else
                for _, finding in ipairs(findings) do print(path .. ": " .. finding) end
                print(("%s: %d findings; restore a backup, or let the file be synchronised anew"):format(path, #findings))
                status = 1
            end
        end
        return status
    end,
}
