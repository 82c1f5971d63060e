-- syncline merge explain: what becomes of two changesets that were made at the same time.

local common = require("syncline.cli.common")
local input = require("syncline.cli.input")
local transform = require("syncline.transform")

local function whole(number, name, least)
    if number < least or number ~= math.floor(number) then
        common.misuse("--%s: a whole number from %d expected", name, least)
    end
    return math.floor(number)
end

local function side(given, name, path, file)
    local timestamp = whole(given[name .. "_time"] or 0, name .. "-time", 0)
    local ident = whole(given[name .. "_file"] or file, name .. "-file", 1)
    return { { changeset = input.changeset(path, given.input), timestamp = timestamp, file = ident } }
end

local function show(title, results)
    io.write(title, "\n")
    for _, result in ipairs(results) do
        local text = assert(require("syncline.changeset").print(result.changeset, { format = "text" }))
        io.write(text == "" and "    (nothing)\n" or text:gsub("([^\n]+)", "    %1"), "")
    end
end

return {
    name = "merge",
    usage = "merge explain [OPTIONS] LEFT RIGHT",
    about = "Merges two changesets that start from the same state and says for every instruction that is dropped or\n"
        .. "changed which rule did it, who won and why. LEFT and RIGHT are files, '-' is standard input.",
    options = {
        { name = "left-time", value = "MS", number = true, help = "when LEFT was made, in ms since 2015 (default 0)" },
        { name = "right-time", value = "MS", number = true, help = "when RIGHT was made (default 0)" },
        { name = "left-file", value = "N", number = true, help = "client file ident of LEFT (default 1)" },
        { name = "right-file", value = "N", number = true, help = "client file ident of RIGHT (default 2)" },
        { name = "input", value = "FORM", help = "auto (default), binary, hex or base64" },
    },
    more = "At equal times the larger client file ident counts as younger, and the younger one wins.",
    run = function(given)
        if given[1] ~= "explain" then common.misuse("'merge' knows one action: explain") end
        if not given[3] or given[4] then common.misuse("two files expected") end
        local result, message, code = transform.explain(
            side(given, "left", given[2], 1), side(given, "right", given[3], 2))
        if not result then common.fail("%s (%s)", message, tostring(code)) end
        io.write(result.text, "\n")
        show("after RIGHT, apply:", result.left)
        show("after LEFT, apply:", result.right)
        return 0
    end,
}
