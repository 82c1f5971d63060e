-- syncline changeset print: what is inside a changeset.

local input = require("syncline.cli.input")
local syncline = require("syncline")

return {
    name = "changeset",
    usage = "changeset print [OPTIONS] FILE|-",
    about = "Prints the instructions of a changeset, one per line. '-' reads standard input.",
    options = {
        { name = "input", value = "FORM", help = "auto (default), binary, hex or base64" },
        { name = "json", help = "print the JSON text form" },
        { name = "raw", help = "show interned strings where they stand" },
    },
    run = function(given)
        if given[1] ~= "print" then error({ usage = "'changeset' knows one action: print" }) end
        if not given[2] or given[3] then error({ usage = "one file, or '-', expected" }) end
        local bytes = input.changeset(given[2], given.input)
        local text, message = syncline.changeset.print(bytes,
            { format = given.json and "json" or "text", raw = given.raw == true })
        if not text then error({ failure = message }) end
        io.write(text)
        return 0
    end,
}
