-- Finds the command, reads its options, runs it, and turns what happens into an exit status:
-- 0 done, 1 it failed, 2 it was called wrongly.

local core = require("syncline.core")
local options = require("syncline.cli.options")

-- Name and one line for the overview; each is the module syncline.cli.<name>.
local COMMANDS = {
    { "serve", "run a sync server" },
    { "client", "keep a local realm in step with a server, run a script on it" },
    { "app", "make apps on a server, and show them" },
    { "user", "make, show, disable, delete and erase users of an app" },
    { "realm", "list the realms of a server, and erase them" },
    { "permissions", "explain what a user may do with a partition" },
    { "key", "change the key that tokens are signed with" },
    { "token", "make an access token" },
    { "compact", "shorten the histories of a server, expire clients that stayed away" },
    { "import", "read objects from JSON lines, CSV or Extended JSON into a class" },
    { "export", "write the objects of a class as JSON lines, CSV or Extended JSON" },
    { "stat", "show classes, sizes and sync progress of a realm file" },
    { "check", "look for damage in realm files" },
    { "backup", "copy a realm file, or a whole server, while it is in use" },
    { "changeset", "print changesets" },
    { "merge", "explain how two changesets merge" },
}

local function overview()
    local lines = {
        "usage: syncline COMMAND [OPTIONS]",
        "",
        "Syncline keeps local databases in step through a server. Commands:",
        "",
    }
    for _, command in ipairs(COMMANDS) do lines[#lines + 1] = ("  %-12s %s"):format(command[1], command[2]) end
    lines[#lines + 1] = ""
    lines[#lines + 1] = "'syncline COMMAND --help' says more; 'syncline --version' prints the version."
    return table.concat(lines, "\n") .. "\n"
end

local function is_command(name)
    for _, command in ipairs(COMMANDS) do
        if command[1] == name then return true end
    end
    return false
end

local function complain(message)
    io.stderr:write("syncline: ", message, "\n")
end

-- What a command may raise on purpose, to be shown without a traceback: {usage=} or {failure=}.
local function run(command, arguments)
    local given, message = options.read(command, arguments)
    if not given then
        complain(message)
        return 2
    end
    if given.help then
        io.stdout:write(options.help(command))
        return 0
    end
    local ok, status = xpcall(command.run, function(problem)
        if type(problem) == "table" and (problem.usage or problem.failure) then return problem end
        if type(problem) == "table" and problem.message then return { failure = problem.message } end
        return debug.traceback(tostring(problem), 2)
    end, given)
    if ok then return status or 0 end
    if type(status) == "table" then
        complain(status.usage or status.failure)
        if status.usage then complain(("'syncline %s --help' shows how it is used"):format(command.name)) end
        return status.usage and 2 or 1
    end
    complain(status)
    return 1
end

-- Mistakes in what a command was given are shown as they are: no line of ours says more about them.
core.own(debug.getinfo(1, "S").source)
if arg then core.own("@" .. tostring(arg[0])) end

---@param arguments string[]
---@return integer status
return function(arguments)
    core.net.default_signals()
    local name = arguments[1]
    if name == nil or name == "--help" or name == "-h" or name == "help" and not arguments[2] then
        local out = name and io.stdout or io.stderr
        out:write(overview())
        return name and 0 or 2
    end
    if name == "--version" or name == "version" then
        print("syncline " .. require("syncline")._VERSION)
        return 0
    end
    local rest = {}
    for i = 2, #arguments do rest[#rest + 1] = arguments[i] end
    if name == "help" then name, rest = arguments[2], { "--help" } end
    if not is_command(name) then
        local names = {}
        for _, command in ipairs(COMMANDS) do names[command[1]] = true end
        local nearest = core.nearest(name, names)
        complain(("there is no command '%s'%s 'syncline --help' lists them"):format(name,
            nearest and ("; did you mean '%s'?"):format(nearest) or ";"))
        return 2
    end
    return run(require("syncline.cli." .. name), rest)
end
