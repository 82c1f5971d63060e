-- What several commands share: opening realms and files, loading Lua configuration files.

local disk = require("syncline.disk")
local syncline = require("syncline")

local common = {}

---Ends the command with a message and status 1.
function common.fail(format, ...)
    error({ failure = format:format(...) }, 0)
end

---Ends the command with a message, a hint at the help and status 2.
function common.misuse(format, ...)
    error({ usage = format:format(...) }, 0)
end

---Runs a Lua file and returns the table that it returns. The file may use the whole of Lua: it is the
---operator's own.
---@param path string
---@return table
function common.load_config(path)
    local chunk, message = loadfile(path)
    if not chunk then common.fail("%s", message) end
    local ok, config = pcall(chunk)
    if not ok then common.fail("%s: %s", path, tostring(config)) end
    if type(config) ~= "table" then common.fail("%s must return a table, it returned a %s", path, type(config)) end
    return config
end

---The schema of an option: a Lua file that returns a list of classes.
function common.load_schema(path)
    return path and common.load_config(path) or nil
end

---Opens the realm file at `path`; it must be there unless `create`.
function common.open_realm(path, options)
    if not path then common.misuse("--path is missing: the realm file") end
    if not options.create then
        local file, message = io.open(path, "rb")
        if not file then common.fail("%s", message) end
        file:close()
    end
    local ok, realm, message = pcall(syncline.open, { path = path, schema = options.schema, fast_commits = options.fast })
    if not ok then common.fail("%s", tostring(realm)) end
    if not realm then common.fail("%s", message) end
    return realm
end

---Opens a file for a command; "-" or nil is the standard stream.
function common.open_file(path, mode)
    if path == nil or path == "-" then return mode:find("w") and io.stdout or io.stdin, false end
    local open = mode:find("w") and disk.open_private or io.open
    local file, message = open(path, mode)
    if not file then common.fail("%s", message) end
    return file, true
end

---The first line of a file, "-" is standard input: a secret has no business among the arguments of a command, which
---every user of the machine can see.
function common.read_secret(option, path)
    local file, ours = common.open_file(path, "r")
    local text = file:read("*l")
    if ours then file:close() end
    text = text and text:gsub("\r$", "")
    if not text or text == "" then common.fail("--%s: '%s' has no first line", option, path) end
    return text
end

---The format of an option, or by the name of the file.
function common.format(given, path, formats)
    local format = given or (path and path:match("%.csv$") and "csv") or (path and path:match("%.ejson$") and "ejson")
        or (path and path:match("%.json$") and "ejson") or "jsonl"
    if not formats[format] then common.misuse("--format: '%s' is none of jsonl, csv, ejson", format) end
    return format
end

return common
