-- What the benchmarks in Lua share: files and the printing of figures.
local json = require("syncline.core").json

local M = {}

-- The content of a file; nil if there is none.
function M.read(path)
    local file = io.open(path, "rb")
    if not file then return nil end
    local text = file:read("*a")
    file:close()
    return text
end

-- One line for one workload: its name and its figures by name; as JSON if so asked.
function M.print(name, facts, as_json)
    facts.name = name
    if as_json then
        print(json.encode(facts))
        return
    end
    local parts = {}
    for field, value in pairs(facts) do
        if field ~= "name" then parts[#parts + 1] = ("%s=%.6g"):format(field, value) end
    end
    table.sort(parts)
    print(("%-44s %s"):format(name, table.concat(parts, "  ")))
end

return M
